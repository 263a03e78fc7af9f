// One binary that is etcd, kube-apiserver, kube-controller-manager, kube-scheduler or kubectl of one
// Kubernetes release, by the name it is called by. build.sh makes a hard link for each name, so that
// every process shows its own name in ps. It is a test rig, not something to run a cluster with.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // time zones of CronJobs, on machines without a zone database

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's credential plugins
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		component(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		component(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		component(scheduler.NewSchedulerCommand())
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err) // prints and exits as kubectl does
		}
	default:
		fmt.Fprintf(os.Stderr, "called as %q: call this binary as etcd, kube-apiserver, "+
			"kube-controller-manager, kube-scheduler or kubectl (see build.sh)\n", name)
		os.Exit(2)
	}
}

// component runs one of the long-running commands and exits with its code.
func component(command *cobra.Command) {
	os.Exit(cli.Run(command))
}
