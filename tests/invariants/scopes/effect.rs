//! What the server makes of a request.

use daemonset_controller::model::Kind;

use super::controller::{Ask, Controllers};
use super::scope::Scope;
use super::server::{Phase, Pod, Revision};
use super::state::{Answer, State};

impl State {
    /// A request takes effect.
    pub(super) fn effect(
        &mut self,
        at: usize,
        scope: &Scope,
        all: &mut Controllers,
    ) -> Option<String> {
        let request = self.net.remove(at);
        let by = request.heard.then_some(request.from);
        let broken = scope.judge(&self.server, &request, all);
        let server = &mut self.server;
        let texts = &mut all.texts;
        let (answer, told) = match request.ask {
            Ask::MakeRevision(template) => {
                if server.revisions.iter().any(|r| r.template == template) {
                    (Answer::Exists, None)
                } else {
                    let number = server.revisions.iter().map(|r| r.number).max();
                    let number = number.unwrap_or(0) + 1;
                    let made = Revision {
                        template,
                        number,
                        version: 1,
                    };
                    let told = server.put_revision(made, texts);
                    (Answer::Stored(Kind::Revision, told.json), Some(told))
                }
            }
            Ask::Renumber {
                template,
                number,
                version,
            } => {
                let known = server.revisions.iter().find(|r| r.template == template);
                match known.copied() {
                    Some(r) if r.version == version => {
                        let made = Revision {
                            number,
                            version: version + 1,
                            ..r
                        };
                        let told = server.put_revision(made, texts);
                        (Answer::Stored(Kind::Revision, told.json), Some(told))
                    }
                    _ => (Answer::Conflict, None),
                }
            }
            Ask::Create { name, .. } if server.pods.contains_key(&name) => (Answer::Exists, None),
            Ask::Create {
                name,
                node,
                template,
            } => {
                let life = server.used.get(&name).map_or(0, |(life, _)| life + 1);
                let (version, created) = (0, server.clock);
                let (phase, asked) = (Phase::Pending, None);
                let pod = Pod {
                    name,
                    life,
                    version,
                    node,
                    template,
                    phase,
                    created,
                    asked,
                };
                let told = server.put(pod, texts);
                (Answer::Stored(Kind::Pod, told.json), Some(told))
            }
            Ask::Delete {
                name,
                life,
                version,
                ..
            } => match server.pods.get(&name) {
                None => (Answer::Gone, None),
                Some(p) if p.life != life || p.version != version => (Answer::Conflict, None),
                Some(_) => {
                    let told = server.ask_to_go(name, texts);
                    let answer = if told.gone {
                        Answer::Gone
                    } else {
                        Answer::Stored(Kind::Pod, told.json)
                    };
                    (answer, Some(told))
                }
            },
        };
        if let Some(told) = told {
            self.spread(told, by, scope);
        }
        if request.heard {
            let sync = self.runners[request.from].sync.as_mut();
            sync.expect("it waits").answer = Some(answer);
            if scope.prompt {
                self.hear(request.from, all);
            }
        }
        self.expire(scope, all);
        broken
    }
}
