// Package deploy holds the images, the Compose file's parts and nginx's configuration. Its tests hold them to the programs: what they name exists
// and runs, and nginx in front of a server answers as the server does. What Docker's own programs say of the files is asked in the folder check.
package deploy
