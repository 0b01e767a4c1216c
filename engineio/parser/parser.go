// Package parser encodes and decodes Engine.IO packets and payloads.
package parser
