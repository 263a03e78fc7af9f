// Writes an image of one static binary and nothing else as an archive, without a daemon and without a registry:
//
//	image -binary FILE -arch amd64 -name REPOSITORY:TAG[,...] -out ARCHIVE [-user 65532:65532] [-cmd run] [-label KEY=VALUE]...
//
// `docker load`, `podman load`, `ctr images import` and `kind load image-archive` read the archive. The same binary gives the
// same bytes: the only date in it is SOURCE_DATE_EPOCH, or 1970 without one.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("image: ")
	binary := flag.String("binary", "", "the static binary, which becomes the entry point")
	arch := flag.String("arch", "amd64", "its architecture, as Go names it")
	names := flag.String("name", "", "the image's names, separated by commas")
	out := flag.String("out", "", "the archive to write")
	user := flag.String("user", "", "the user as whom it runs, by number, so that a kubelet can tell that it is not root")
	cmd := flag.String("cmd", "", "the argument that it gets where a pod gives none")
	labels := map[string]string{}
	flag.Func("label", "a label of the image, KEY=VALUE", func(label string) error {
		key, value, found := strings.Cut(label, "=")
		if !found {
			return fmt.Errorf("%q is not KEY=VALUE", label)
		}
		labels[key] = value
		return nil
	})
	flag.Parse()
	if *binary == "" || *names == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}

	date := sourceDate()
	layer, err := layerOf(*binary, date)
	check(err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	check(err)
	file, err := image.ConfigFile()
	check(err)
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", *arch, v1.Time{Time: date}
	file.History = []v1.History{{Created: v1.Time{Time: date}, Comment: filepath.Base(*binary)}}
	file.Config = v1.Config{User: *user, Entrypoint: []string{"/" + filepath.Base(*binary)}, Labels: labels}
	if *cmd != "" {
		file.Config.Cmd = []string{*cmd}
	}
	image, err = mutate.ConfigFile(image, file)
	check(err)

	tags := map[name.Tag]v1.Image{}
	for one := range strings.SplitSeq(*names, ",") {
		tag, err := name.NewTag(one, name.StrictValidation)
		check(err)
		tags[tag] = image
	}
	check(tarball.MultiWriteToFile(*out, tags))
}

// layerOf gives the layer that holds the file at its root.
func layerOf(file string, date time.Time) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	to := tar.NewWriter(&archive)
	header := &tar.Header{Name: filepath.Base(file), Mode: 0o755, Size: int64(len(content)), ModTime: date}
	if err := to.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := to.Write(content); err != nil {
		return nil, err
	}
	if err := to.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
}

// sourceDate is that of https://reproducible-builds.org/specs/source-date-epoch/
func sourceDate() time.Time {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0).UTC()
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	check(err)
	return time.Unix(seconds, 0).UTC()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
