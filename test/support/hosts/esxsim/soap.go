package main

import (
	"bytes"
	"regexp"
	"unicode"
)

var (
	tag       = regexp.MustCompile(`<(/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+="[^"]*")*)\s*(/?)>`)
	arrayType = regexp.MustCompile(`:type="ArrayOf(\w+)"`)
	xsiType   = regexp.MustCompile(`XMLSchema-instance:type="`)
	// A folder in the answer of a search below a datastore, as the simulator joins it.
	folderPath = regexp.MustCompile(`<folderPath>\[([^\]]+)\]/([^<]*)</folderPath>`)
	diskInfo   = regexp.MustCompile(`(:type="VmDiskFileInfo"[^>]*>(?:<path>[^<]*</path>)?)((?:<fileSize>[^<]*</fileSize>)?(?:<modification>[^<]*</modification>)?(?:<owner>[^<]*</owner>)?)`)
)

// mendRequest gives a search without a pattern the one that it means.
func mendRequest(body []byte) []byte {
	if bytes.Contains(body, []byte("<SearchDatastoreSubFolders_Task")) && !bytes.Contains(body, []byte("<matchPattern")) {
		body = bytes.Replace(body, []byte("</searchSpec>"), []byte("<matchPattern>*</matchPattern></searchSpec>"), 1)
	}
	return body
}

// mendResponse writes out what the real servers write out and the simulator leaves to the schema.
func mendResponse(body []byte) []byte {
	body = typeElements(body)
	body = folderPath.ReplaceAll(body, []byte("<folderPath>[$1] $2/</folderPath>"))
	return diskInfo.ReplaceAll(body, []byte(`$1$2<diskType>VmfsDiskLow</diskType><capacityKb>8192</capacityKb><controllerType>VirtualLsiLogicController</controllerType>`))
}

// typeElements gives the elements of each ArrayOfX the type X.
func typeElements(body []byte) []byte {
	var out bytes.Buffer
	// What the elements of each open element are, empty for anything.
	var open []string
	at := 0
	for _, found := range tag.FindAllSubmatchIndex(body, -1) {
		closing, empty := found[2] != found[3], found[8] != found[9]
		if closing {
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			continue
		}
		attributes := body[found[6]:found[7]]
		if len(open) > 0 && open[len(open)-1] != "" && !xsiType.Match(attributes) {
			out.Write(body[at:found[7]])
			at = found[7]
			out.WriteString(` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xsi:type="` + open[len(open)-1] + `"`)
		}
		if empty {
			continue
		}
		elements := ""
		if array := arrayType.FindSubmatch(attributes); array != nil {
			elements = typeName(string(array[1]))
		}
		open = append(open, elements)
	}
	out.Write(body[at:])
	return out.Bytes()
}

// typeName is the type of an array's elements: the schema's own types have names in lower case.
func typeName(name string) string {
	switch name {
	case "String", "Int", "Long", "Short", "Byte", "Boolean", "Double", "Float", "AnyType", "AnyURI":
		first := []rune(name)
		first[0] = unicode.ToLower(first[0])
		return "xsd:" + string(first)
	}
	return name
}
