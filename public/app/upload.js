// Sends one file to the server, with progress. fetch() cannot report how much has left yet.

/**
 * PUT /api/uploads/NAME. `onProgress(loaded, total)`; `done(problem, {upload, bytes})` is called
 * once, with a null problem when the server has the file. Returns what aborts it.
 */
export function upload(file, onProgress, done) {
  const request = new XMLHttpRequest();
  request.open('PUT', `/api/uploads/${encodeURIComponent(nameFor(file.name))}`);
  request.setRequestHeader('Content-Type', 'application/octet-stream');
  request.setRequestHeader('Accept', 'application/json, application/problem+json');
  request.upload.onprogress = (event) => onProgress(event.loaded, event.lengthComputable ? event.total : file.size);
  request.onload = () => {
    const body = parse(request.responseText);
    if (request.status === 201 && body?.upload) done(null, body);
    else done(body?.title ? body : { code: 'internal', status: request.status, title: `The upload was refused (${request.status})` });
  };
  request.onerror = () => done({ code: 'unavailable', status: 0, title: 'The upload was cut off', detail: 'Start it again when the connection is back.' });
  request.onabort = () => done({ code: 'aborted', status: 0, title: 'Upload stopped' });
  request.send(file);
  return () => request.abort();
}

/** A name that is safe in a path on every system, and still tells the file. */
function nameFor(name) {
  const safe = name.normalize('NFKD').replace(/[^0-9A-Za-z._-]+/g, '_').replace(/^[._-]+/, '').slice(-100);
  return safe || 'upload.csv';
}

function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
