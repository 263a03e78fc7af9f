// What runs in the containers of the tests on real nodes: a node agent of which each test says how it behaves. It is
// also the pause container of sandboxes, which needs nothing but to wait and to reap.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	listen    = flag.String("listen", "", "serve /ready at this address")
	unready   = flag.Bool("unready", false, "/ready never says yes")
	exitAfter = flag.Duration("exit-after", 0, "end with code 3 after so long")
	linger    = flag.Duration("linger", 0, "live on so long after SIGTERM")
	install   = flag.String("install", "", "write this text to the file of -to, as an agent installs a CNI configuration")
	to        = flag.String("to", "", "the file of -install")
)

func main() {
	flag.Parse()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	if *install != "" {
		must(os.WriteFile(*to, []byte(*install), 0o644))
	}
	var terminating atomic.Bool
	if *listen != "" {
		http.HandleFunc("/ready", func(answer http.ResponseWriter, _ *http.Request) {
			if *unready || terminating.Load() {
				answer.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		go func() { must(http.ListenAndServe(*listen, nil)) }()
	}
	var end <-chan time.Time
	if *exitAfter > 0 {
		end = time.After(*exitAfter)
	}
	for {
		select {
		case <-end:
			os.Exit(3)
		case got := <-signals:
			if got == syscall.SIGCHLD {
				reap()
				continue
			}
			terminating.Store(true)
			time.Sleep(*linger)
			return
		}
	}
}

// reap takes in the processes of a pod whose parents are gone: pid 1 of a sandbox is their parent.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
