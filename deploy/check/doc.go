// Package check holds the Compose files and the Dockerfiles to what Docker's own programs say of them: its tests load them with Compose's loader and
// lint them with BuildKit's linter. It is a module of its own, so that nothing of those gets into what Revenge is built from.
package check
