// Package public has the pages of the server, and the module for other people's pages, as files inside the program.
package public

import "embed"

// Files are those of this directory, but for its Go. A file beside this one with another ending needs a pattern here;
// what lies in a folder comes by itself.
//
//go:embed *.css *.html *.js *.svg *.ts all:*/*
var Files embed.FS
