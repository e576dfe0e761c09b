// Command esxsim stands in for an ESX host or a vCenter: govmomi's simulator, with what libvirt's drivers need besides.
//
//	esxsim esx|vpx ADDRESS USER PASSWORD
//
// Once it serves, it prints one line of JSON: its datastores by name, each with the folder that holds its files.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/simulator"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("esxsim: ")
	if len(os.Args) != 5 {
		log.Fatal("usage: esxsim esx|vpx ADDRESS USER PASSWORD")
	}
	if err := serve(os.Args[1], os.Args[2], url.UserPassword(os.Args[3], os.Args[4])); err != nil {
		log.Fatal(err)
	}
	select {}
}

func serve(kind, address string, user *url.Userinfo) error {
	model := simulator.VPX()
	if kind == "esx" {
		model = simulator.ESX()
	}
	// The simulator's own machines have empty configuration files, which libvirt cannot read.
	model.Machine = 0
	if err := model.Create(); err != nil {
		return err
	}
	datastores := complete(model.Map())

	model.Service.Listen = &url.URL{Host: address, User: user}
	model.Service.TLS = new(tls.Config)
	server := model.Service.NewServer()
	client, err := govmomi.NewClient(context.Background(), server.URL, true)
	if err != nil {
		return err
	}
	server.Config.Handler = &gateway{inner: server.Config.Handler, machines: &machines{client: client.Client, datastores: datastores}}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"datastores": datastores})
}

// complete gives hosts and datastores what the simulator leaves out. It answers the folder of each datastore.
func complete(objects *simulator.Registry) map[string]string {
	folders := map[string]string{}
	for _, entity := range objects.All("Datastore") {
		datastore := entity.(*simulator.Datastore)
		for i := range datastore.Host {
			// libvirt takes it for granted that a datastore has a path on its host.
			datastore.Host[i].MountInfo.Path = "/vmfs/volumes/" + datastore.Name
		}
		folders[datastore.Name] = datastore.Summary.Url
	}
	for _, entity := range objects.All("HostSystem") {
		entity.(*simulator.HostSystem).Capability.MaxSupportedVcpus = 128
	}
	return folders
}
