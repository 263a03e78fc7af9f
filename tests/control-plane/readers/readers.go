package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/clusterreader"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	helm3 "helm.sh/helm/v3/pkg/kube"
	helm4 "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/cmd/rollout"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/cmd/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// all readers of a server.
func all(url string) ([]reader, error) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	directory, err := os.MkdirTemp("", "readers")
	if err != nil {
		return nil, err
	}
	getter := config(url, directory)
	helm, err := helms(getter)
	if err != nil {
		return nil, err
	}
	flux, err := flux(getter)
	if err != nil {
		return nil, err
	}
	readers := []reader{
		{"kubectl rollout status", func(d *unstructured.Unstructured) (string, error) { return rolloutStatus(getter, d) }},
		{"kubectl wait Available", waitFor(getter, "condition=Available")},
		{"kubectl wait Stalled", waitFor(getter, "condition=Stalled")},
		{"kubectl wait Complete", waitFor(getter, `jsonpath={.status.conditions[?(@.type=="Progressing")].reason}=Complete`)},
	}
	return append(append(readers, helm...), flux), nil
}

// config is what a kubeconfig with this server would lead to, without a limit of requests a second.
func config(url, directory string) *genericclioptions.ConfigFlags {
	namespace, none, cache := "default", filepath.Join(directory, "none"), filepath.Join(directory, "cache")
	flags := genericclioptions.NewConfigFlags(true).WithDiscoveryQPS(-1)
	flags.APIServer, flags.Namespace, flags.CacheDir = &url, &namespace, &cache
	if err := os.WriteFile(none, nil, 0o600); err == nil {
		flags.KubeConfig = &none
	}
	return flags.WithWrapConfigFn(func(config *rest.Config) *rest.Config {
		config.QPS = -1
		return config
	})
}

// rolloutStatus is `kubectl rollout status --watch=false`, which says what the command would go on waiting for.
func rolloutStatus(getter genericclioptions.RESTClientGetter, daemonSet *unstructured.Unstructured) (string, error) {
	out := &bytes.Buffer{}
	options := rollout.NewRolloutStatusOptions(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: out, ErrOut: out})
	options.Watch = false
	if err := options.Complete(cmdutil.NewFactory(getter), []string{"daemonset/" + daemonSet.GetName()}); err != nil {
		return "", err
	}
	err := options.Run()
	switch {
	case err != nil && strings.Contains(err.Error(), "only available for"):
		return "refuses", nil
	case err != nil:
		return "", err
	case strings.Contains(out.String(), "successfully rolled out"):
		return "done", nil
	case strings.HasPrefix(out.String(), "Waiting for "):
		return "waits", nil
	}
	return "", fmt.Errorf("no such answer: %q", out)
}

// waitFor is `kubectl wait --for=… --timeout=0`, which looks once.
func waitFor(getter genericclioptions.RESTClientGetter, condition string) func(*unstructured.Unstructured) (string, error) {
	return func(daemonSet *unstructured.Unstructured) (string, error) {
		streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.Discard, ErrOut: io.Discard}
		flags := wait.NewWaitFlags(getter, streams)
		flags.ForCondition, flags.Timeout = []string{condition}, 0
		options, err := flags.ToOptions([]string{"daemonset/" + daemonSet.GetName()})
		if err != nil {
			return "", err
		}
		err = options.RunWait()
		switch {
		case err == nil:
			return "done", nil
		case strings.Contains(err.Error(), "condition not met"):
			return "waits", nil
		}
		return "", err
	}
}

// helms are `helm upgrade --wait` of Helm 4 and 3. Helm 4's `--wait=legacy` has to be as Helm 3.
func helms(getter genericclioptions.RESTClientGetter) ([]reader, error) {
	four, three := helm4.New(getter), helm3.New(getter)
	watcher := func(daemonSet *unstructured.Unstructured) (string, error) {
		return helm4Wait(four, helm4.StatusWatcherStrategy, daemonSet)
	}
	legacy := func(daemonSet *unstructured.Unstructured) (string, error) {
		before := make(chan string, 1)
		go func() { before <- word(three.Wait(helm3.ResourceList{info(daemonSet.DeepCopy())}, patience)) }()
		now, err := helm4Wait(four, helm4.LegacyStrategy, daemonSet)
		if old := <-before; err == nil && old != now {
			err = fmt.Errorf("Helm 3 %s, Helm 4's --wait=legacy %s", old, now)
		}
		return now, err
	}
	return []reader{{"helm 4 --wait", watcher}, {"helm 3 --wait", legacy}}, nil
}

func helm4Wait(client *helm4.Client, strategy helm4.WaitStrategy, daemonSet *unstructured.Unstructured) (string, error) {
	waiter, err := client.GetWaiter(strategy)
	if err != nil {
		return "", err
	}
	return word(waiter.Wait(helm4.ResourceList{info(daemonSet)}, patience)), nil
}

func word(err error) string {
	switch {
	case err == nil:
		return "done"
	case waited(err):
		return "waits"
	}
	return "fails"
}

// info is what Helm knows of an object of a release.
func info(daemonSet *unstructured.Unstructured) *resource.Info {
	kind := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
	return &resource.Info{
		Name: daemonSet.GetName(), Namespace: daemonSet.GetNamespace(), Object: daemonSet,
		Mapping: &meta.RESTMapping{
			Resource: kind.GroupVersion().WithResource("daemonsets"), GroupVersionKind: kind, Scope: meta.RESTScopeNamespace,
		},
	}
}

// flux is what kustomize-controller does with `wait: true`, and with an entry of `healthChecks`.
func flux(getter genericclioptions.RESTClientGetter) (reader, error) {
	config, err := getter.ToRESTConfig()
	if err != nil {
		return reader{}, err
	}
	mapper, err := getter.ToRESTMapper()
	if err != nil {
		return reader{}, err
	}
	cluster, err := client.New(config, client.Options{Mapper: mapper})
	if err != nil {
		return reader{}, err
	}
	poller := polling.NewStatusPoller(cluster, mapper, polling.Options{
		ClusterReaderFactory: engine.ClusterReaderFactoryFunc(clusterreader.NewDirectClusterReader),
	})
	manager := ssa.NewResourceManager(cluster, poller, ssa.Owner{})
	ask := func(daemonSet *unstructured.Unstructured) (string, error) {
		set := object.UnstructuredSetToObjMetadataSet([]*unstructured.Unstructured{daemonSet})
		options := ssa.WaitOptions{Interval: 5 * time.Second, Timeout: patience, FailFast: true}
		return word(manager.WaitForSetWithContext(context.Background(), set, options)), nil
	}
	return reader{"Flux", ask}, nil
}
