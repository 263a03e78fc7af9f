// Stands in for systemd-logind where a kubelet asks it about shutdowns: it hands out inhibitor locks, and tells of a
// shutdown when it gets SIGUSR1. Once a shutdown was announced and the last lock is released, it prints "power off" and
// ends: there a machine would go off.
//
// The interface: https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	service = "org.freedesktop.login1"
	object  = dbus.ObjectPath("/org/freedesktop/login1")
	manager = service + ".Manager"
)

// The longest that an inhibitor may delay a shutdown. A kubelet that wants longer would rewrite logind's
// configuration, which is not there.
const longestDelay = 5 * time.Minute

type login struct {
	taken    chan struct{}
	released chan struct{}
}

// Inhibit gives a file descriptor: the lock is held for as long as the caller keeps it open.
func (l login) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	l.taken <- struct{}{}
	fmt.Println("inhibited by", who, "for", what, mode)
	go func() {
		// End of file, once neither side has the writing end open.
		_, _ = syscall.Read(pipe[0], make([]byte, 1))
		_ = syscall.Close(pipe[0])
		fmt.Println("released by", who)
		l.released <- struct{}{}
	}()
	// The library sends the descriptor after this returns, and does not close it.
	time.AfterFunc(2*time.Second, func() { _ = syscall.Close(pipe[1]) })
	return dbus.UnixFD(pipe[1]), nil
}

func main() {
	bus, err := dbus.ConnectSystemBus()
	must(err)
	l := login{taken: make(chan struct{}), released: make(chan struct{})}
	must(bus.Export(l, object, manager))
	_, err = prop.Export(bus, object, prop.Map{manager: {
		"InhibitDelayMaxUSec": {Value: uint64(longestDelay.Microseconds())},
	}})
	must(err)
	reply, err := bus.RequestName(service, dbus.NameFlagDoNotQueue)
	must(err)
	if reply != dbus.RequestNameReplyPrimaryOwner {
		log.Fatalf("%s has another owner", service)
	}
	shutdown := make(chan os.Signal, 1)
	signal.Notify(shutdown, syscall.SIGUSR1)
	fmt.Println("ready")

	held, announced := 0, false
	for {
		select {
		case <-l.taken:
			held++
		case <-l.released:
			held--
		case <-shutdown:
			announced = true
			fmt.Println("shutdown announced")
			must(bus.Emit(object, manager+".PrepareForShutdown", true))
		}
		if announced && held == 0 {
			fmt.Println("power off")
			return
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
