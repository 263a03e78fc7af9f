package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
)

const daemonSets = "/apis/apps/v1/namespaces/default/daemonsets"

// serve answers as an API server with these DaemonSets and nothing else does, for clients that discover, get, list and
// watch. Nothing ever changes.
func serve(states []*unstructured.Unstructured) *httptest.Server {
	apps := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
	documents := map[string]any{
		"/version": map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.1"},
		"/api":     metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}},
		"/api/v1":  metav1.APIResourceList{TypeMeta: kind("APIResourceList"), GroupVersion: "v1"},
		"/apis": metav1.APIGroupList{TypeMeta: kind("APIGroupList"), Groups: []metav1.APIGroup{{
			Name: "apps", Versions: []metav1.GroupVersionForDiscovery{apps}, PreferredVersion: apps,
		}}},
		"/apis/apps": metav1.APIGroup{
			TypeMeta: kind("APIGroup"), Name: "apps",
			Versions: []metav1.GroupVersionForDiscovery{apps}, PreferredVersion: apps,
		},
		"/apis/apps/v1": metav1.APIResourceList{
			TypeMeta: kind("APIResourceList"), GroupVersion: "apps/v1",
			APIResources: []metav1.APIResource{{
				Name: "daemonsets", SingularName: "daemonset", Namespaced: true, Kind: "DaemonSet",
				ShortNames: []string{"ds"}, Verbs: []string{"get", "list", "watch"},
			}},
		},
	}
	for _, state := range states {
		documents[daemonSets+"/"+state.GetName()] = state.Object
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == daemonSets {
			collection(w, r, states)
			return
		}
		document, found := documents[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			document = metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
				Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound, Message: r.URL.Path,
			}
		}
		encode(w, document)
	}))
}

func kind(name string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: name, APIVersion: "v1"}
}

// collection answers a list, or a watch, which stays open until the client leaves.
func collection(w http.ResponseWriter, r *http.Request, states []*unstructured.Unstructured) {
	query := r.URL.Query()
	selector, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	items := []any{}
	for _, state := range states {
		if selector.Matches(fields.Set{"metadata.name": state.GetName(), "metadata.namespace": state.GetNamespace()}) {
			items = append(items, state.Object)
		}
	}
	if query.Get("watch") != "true" && query.Get("watch") != "1" {
		encode(w, map[string]any{
			"apiVersion": "apps/v1", "kind": "DaemonSetList", "metadata": map[string]any{"resourceVersion": "1"}, "items": items,
		})
		return
	}
	if query.Get("sendInitialEvents") == "true" {
		for _, item := range items {
			encode(w, map[string]any{"type": "ADDED", "object": item})
		}
		encode(w, map[string]any{"type": "BOOKMARK", "object": map[string]any{
			"apiVersion": "apps/v1", "kind": "DaemonSet",
			"metadata": map[string]any{
				"resourceVersion": "1", "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
			},
		}})
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func encode(w http.ResponseWriter, document any) {
	// A client that has left does not matter.
	_ = json.NewEncoder(w).Encode(document)
}

// waited tells those who gave up from those who failed.
func waited(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "context deadline exceeded") || strings.Contains(err.Error(), "timeout waiting"))
}
