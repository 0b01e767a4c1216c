// Files that are dropped on a page. A page that does not handle the drop is replaced by the file: the browser opens it.

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');

/**
 * From now on a drop of files anywhere on the page opens none of them. With take(files, {directory}) the page
 * takes them; files is a list that is never empty, and directory says that the first of them is one. While
 * files are held over such a page, the document has the attribute data-drop.
 */
export function onDrop(take) {
  const over = (is) => { if (take) document.documentElement.toggleAttribute('data-drop', is); };
  for (const type of ['dragenter', 'dragover']) {
    window.addEventListener(type, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = take ? 'copy' : 'none';
      over(true);
    });
  }
  window.addEventListener('dragleave', (event) => { if (!event.relatedTarget) over(false); });
  window.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(false);
    const { files, items } = event.dataTransfer;
    if (files.length > 0) take?.([...files], { directory: Boolean(items?.[0]?.webkitGetAsEntry?.()?.isDirectory) });
  });
}
