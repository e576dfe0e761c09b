package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// machines gives the simulator's machines what their configuration files say: a real server reads those.
type machines struct {
	client *vim25.Client
	// The folder of each datastore's files, by name.
	datastores map[string]string
}

var (
	task      = regexp.MustCompile(`<returnval[^>]*>(task-\d+)</returnval>`)
	setting   = regexp.MustCompile(`(?m)^\s*([\w.:]+)\s*=\s*"([^"]*)"`)
	datastore = regexp.MustCompile(`^\[([^\]]+)\] (.*)$`)
)

// uploaded puts beside a configuration file what a server makes of it.
func (m *machines) uploaded(at *url.URL) {
	folder, known := m.datastores[at.Query().Get("dsName")]
	// The simulator has cut the path's beginning off.
	file := strings.TrimPrefix(strings.TrimPrefix(at.Path, "/"), "folder/")
	if !known || !strings.HasSuffix(file, ".vmx") {
		return
	}
	base := strings.TrimSuffix(filepath.Join(folder, file), ".vmx")
	for _, beside := range []string{base + ".nvram", filepath.Join(filepath.Dir(base), "vmware.log")} {
		_ = os.WriteFile(beside, nil, 0o600)
	}
}

// registered waits for the task that the answer names, and gives its machine the values of its file.
func (m *machines) registered(ctx context.Context, answer []byte) error {
	found := task.FindSubmatch(answer)
	if found == nil {
		return nil
	}
	running := object.NewTask(m.client, types.ManagedObjectReference{Type: "Task", Value: string(found[1])})
	info, err := running.WaitForResult(ctx)
	if err != nil {
		// It failed, and its caller is told.
		return nil
	}
	reference := info.Result.(types.ManagedObjectReference)
	var machine mo.VirtualMachine
	if err := property.DefaultCollector(m.client).RetrieveOne(ctx, reference, []string{"config.files.vmPathName"}, &machine); err != nil {
		return err
	}
	settings, err := m.settings(machine.Config.Files.VmPathName)
	if err != nil {
		return err
	}
	change, err := object.NewVirtualMachine(m.client, reference).Reconfigure(ctx, settings)
	if err != nil {
		return err
	}
	return change.Wait(ctx)
}

// settings reads a configuration file: `[datastore] folder/name.vmx`.
func (m *machines) settings(path string) (types.VirtualMachineConfigSpec, error) {
	var spec types.VirtualMachineConfigSpec
	place := datastore.FindStringSubmatch(path)
	if place == nil {
		return spec, fmt.Errorf("%s names no datastore", path)
	}
	content, err := os.ReadFile(filepath.Join(m.datastores[place[1]], place[2]))
	if err != nil {
		return spec, err
	}
	for _, line := range setting.FindAllStringSubmatch(string(content), -1) {
		switch key, value := strings.ToLower(line[1]), line[2]; key {
		case "displayname":
			spec.Name = value
		case "uuid.bios":
			spec.Uuid = uuid(value)
		case "memsize":
			spec.MemoryMB, err = strconv.ParseInt(value, 10, 64)
		case "numvcpus":
			var count int
			count, err = strconv.Atoi(value)
			spec.NumCPUs = int32(count)
		}
		if err != nil {
			return spec, fmt.Errorf("%s in %s: %w", line[1], path, err)
		}
	}
	return spec, nil
}

// uuid turns VMware's spelling, pairs of digits with one dash in the middle, into the usual one.
func uuid(text string) string {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	if len(digits) != 32 {
		return text
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}
