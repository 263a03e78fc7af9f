# The same recipes for people and for CI; .ci/run calls the same commands without needing just.

# What a fresh machine with nothing but Rust can do.
test:
    cargo test

# Formatting.
fmt:
    cargo fmt --check

# Lints, warnings denied.
clippy:
    cargo clippy --all-targets --all-features -- -D warnings

# Search new histories for broken promises, for so many seconds: just soak 180 --late-writes
soak seconds *args:
    cargo run --profile search --package daemonset-controller-search -- soak {{seconds}} {{args}}

# One history of the search, told: just replay 17
replay seed *args:
    cargo run --profile search --package daemonset-controller-search -- --seed {{seed}} {{args}}

# Run each fuzzer of the decoders for so many seconds (needs a nightly toolchain, a C++ compiler and cargo-fuzz).
fuzz seconds *targets:
    fuzz/run.sh {{seconds}} {{targets}}

# Build etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl for the live tests (needs Go): just control-plane 1.34
control-plane version='':
    tests/control-plane/build.sh {{version}}

# What kubectl, Helm, Flux and Argo CD say of a DaemonSet's status, against the record; just readers --record (needs Go).
readers how='--check':
    tests/control-plane/readers/run.sh {{how}}

# The controller at work on a simulated cluster: just demo --nodes 100
demo *args:
    cargo run --release -- demo {{args}}

# Draw docs/demo.svg anew.
picture:
    UPDATE_GOLDEN=1 cargo test --test demo the_picture

# The tests against a real control plane; a word narrows them down: just live crashes
live *words: control-plane
    cargo test --release --features live --test live -- --test-threads=2 {{words}}

# The same on another version of Kubernetes: just live-on 1.34 takeover
live-on version *words: (control-plane version)
    LIVE_KUBERNETES={{version}} cargo test --release --features live --test live -- --test-threads=2 {{words}}

# A roll across an upgrade of the control plane, with handovers before and after it: just live-upgrade 1.33 1.34
live-upgrade from to: (control-plane from) (control-plane to)
    LIVE_KUBERNETES={{from}} LIVE_UPGRADE={{to}} cargo test --release --features live --test live -- --ignored upgrade::

# The same with the built-in controller in our place, to see which of two is wrong.
live-built-in *words: control-plane
    LIVE_CONTROLLER=built-in cargo test --release --features live --test live -- --test-threads=2 {{words}}

# The tests on real nodes of this machine, as root; a word narrows them down: just nodes leader (needs Go, once).
nodes *words:
    tests/nodes/rig/run.sh {{words}}

# The page of a rehearsal in a headless browser; a word narrows the tests down: just browser time:: (needs chromium and chromedriver)
browser *words:
    tests/browser/run.sh {{words}}

# How often two built-in controllers at once make a second pod on a node, in one rollout of 60 nodes: printed, not asserted.
two-built-in: control-plane
    LIVE_CONTROLLER=built-in cargo test --release --features live --test live -- --test-threads=1 --nocapture two_rollout

# The built-in controller and ours one after the other on 1,000 simulated nodes, side by side.
bench-live *args: control-plane
    cargo bench --features live --bench live -- {{args}}

# What 65,000 nodes cost besides the calls: just bench-large, or just bench-large --nodes 10000 --daemon-sets 5
bench-large *args:
    cargo bench --bench large -- {{args}}

# The chart and deploy/: linted, rendered, compared, bad values refused, alerts tested (needs Go, once).
chart:
    .ci/chart

# Render deploy/ anew from the chart, and the table of values in its README.
render:
    deploy/render.sh
    UPDATE_GOLDEN=1 cargo test --test process the_table_of_values

# The static binary of images and releases: just static aarch64 (needs the target's standard library).
static *arch:
    .ci/static {{arch}}

# Licences, sources and known holes of what this depends on (needs cargo-deny).
deny *args:
    .ci/deny {{args}}

# The workflows under .github (needs Go, once).
workflows:
    $(charts/tool.sh actionlint)

# Bugs of history, planted one by one in a copy of the tree, and hunted: just mutants, or just mutants NAME...; just mutants --record
mutants *args:
    tests/mutants/run.sh {{args}}

# A kind cluster without the built-in controller, the chart on it, the leader killed in the middle of a rollout (needs Docker).
kind-e2e:
    .ci/kind

# What a release holds, in a folder: just release 0.1.0 registry.example/daemonset-controller dist
release version image folder:
    .ci/release {{version}} {{image}} {{folder}}

# Everything that CI does on a machine without Docker.
ci:
    .ci/run
