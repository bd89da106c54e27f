// Files and folders that are dropped on the page.

/** Give `onFile` every file that is dropped, and those of a folder that are audio or video. */
export function acceptDrops(target, onFile) {
  document.ondragover = (event) => {
    event.preventDefault();
    target.classList.add("over");
  };
  document.ondragleave = (event) => {
    if (!event.relatedTarget) target.classList.remove("over");
  };
  document.ondrop = (event) => {
    event.preventDefault();
    target.classList.remove("over");
    // The list is empty once this function has returned, so all entries are taken before the first is read.
    const dropped = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
    for (const each of dropped) {
      if (each instanceof File) onFile(each);
      else if (each) readEntry(each, onFile);
    }
  };
}

/** Give `onFile` a file, or the songs of a folder and its subfolders. */
export function readEntry(entry, onFile, inFolder = false) {
  if (entry.isDirectory) {
    const reader = entry.createReader();
    const more = () => reader.readEntries((found) => { // some at a time, until there are none
      for (const inside of found) readEntry(inside, onFile, true);
      if (found.length) more();
    });
    more();
  } else {
    entry.file((file) => {
      if (!inFolder || /^(audio|video)\//.test(file.type)) onFile(file);
    });
  }
}
