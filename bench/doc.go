// Package bench holds the benchmarks that compare Revenge with limit programs: the least programs that do the same work. `just bench`
// runs them and writes docs/performance.md. The server, the limit program and the load come from processes of their own.
package bench
