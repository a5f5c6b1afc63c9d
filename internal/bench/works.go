package bench

import "context"

// work is one benchmark.
type work struct {
	name    string
	measure func(context.Context, rig) (entry, error)
	full    bool   // it runs only when it is asked for
	tool    string // that it needs beside Swift; empty: none
}

// million is the name of B9 at its largest.
const million = "B9-1M"

// works are all benchmarks, in the order of the page.
func works(smoke bool) []work {
	return []work{
		onePass("start", smoke), onePass("B1", smoke),
		{name: "B2", measure: measureOwn},
		onePass("B3", smoke),
		onePush("B4", smoke), onePush("B5", smoke), onePush("B6", smoke), onePush("B7", smoke),
		{name: "B8", measure: measureMemory},
		{name: "B9", measure: measureGrowth},
		{name: million, measure: measureMillion, full: true},
		{name: "B9-100", measure: measureWide},
		{name: "B10", measure: measureHang, tool: fuseDevice},
		{name: "B10-Swift", measure: measureStockHang, tool: fuseDevice},
		{name: "B10-workers", measure: measureWorkersHang, tool: fuseDevice},
		{name: "B11", measure: measureFirst},
		{name: "B12", measure: measureCalls, tool: "strace"},
	}
}

func onePass(name string, smoke bool) work {
	return work{name: name, measure: passOf(name, smoke).entry}
}

func onePush(name string, smoke bool) work {
	return work{name: name, measure: pushOf(name, smoke).entry}
}
