// Package demo makes films: single small ones with a known shape for tests ([File]), a library of them with
// everything that real folders hold, good and bad ([TestLibrary]), and a showcase for first visitors ([Library]).
//
// The films are made by ffmpeg and kept in the user's cache folder under a hash of their recipe.
package demo
