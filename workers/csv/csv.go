// Package csv profiles CSV files as they are in the world: it finds out the dialect (delimiter, quotes, encoding,
// line ends, where the header is), reads every row, and describes each column by its type, its empty and different
// values, and figures. It is not a validator: what RFC 4180 does not allow but can be read is a Remark, and only a row
// that cannot be laid out under the header, or a value that is not of its column's type, is a Misfit.
//
//	res, err := csv.Profile(ctx, file, csv.Config{})
//
// The dialect and the header are found out from the first 200 records, within the first 256 KiB. Then each byte is read
// once, and a row is forgotten when it is counted: memory is 1.3 MiB and up to about 20 MiB for 2,000 columns, whatever
// the size of the file.
//
// It knows neither jobs nor files: it reads an io.Reader, and calls back. It starts no goroutine. Of a file it
// describes one table: it says where another one starts, and no more. It does not know what values mean, nor which of
// several readings the author had in mind: where the dialect is not clear it is that of RFC 4180.
//
// The way of a file: encoding.go makes it UTF-8 and refuses what is no text, detect.go tries dialects on samples of
// sample.go, reader.go gives records, which parse.go cuts out and toolong.go skips, and profile.go counts them into
// columns (column.go, distinct.go, value.go, figure.go) or takes for another table (tables.go), and makes the Result.
package csv
