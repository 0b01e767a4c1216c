// Sends one file to the server, with progress: by XMLHttpRequest, since fetch() cannot report how much was sent.

const NAME_BYTES = 200; // the most that the server takes of a name

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
  request.onerror = () => done({ code: 'unavailable', status: 0, title: 'The upload was cut off', detail: 'The connection ended before the server had the whole file.' });
  request.onabort = () => done({ code: 'aborted', status: 0, title: 'Upload stopped' });
  request.send(file);
  return () => request.abort();
}

/**
 * The file's name as the server takes it: in any script, without what is no part of a name on some system,
 * and cut before its extension where it is too long.
 */
export function nameFor(name) {
  const safe = name.replace(/\p{Surrogate}/gu, '\ufffd').normalize('NFC').replace(/[/\\\p{Cc}]/gu, '_');
  if (/^\.*$/.test(safe)) return 'upload';
  const extension = /\.[^.]{1,16}$/u.exec(safe)?.[0] ?? '';
  const stem = [...safe.slice(0, safe.length - extension.length)];
  const length = (text) => new TextEncoder().encode(text).length;
  while (stem.length && length(stem.join('') + extension) > NAME_BYTES) stem.pop();
  return stem.join('') + extension;
}

function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
