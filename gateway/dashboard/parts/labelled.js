// Files with their classes, as uploads and evaluations send them: a picture's folder is its class.

const ARCHIVES = { zip: "application/zip", tar: "application/x-tar", gz: "application/gzip", tgz: "application/gzip" };
export const ACCEPTED = "image/*,.zip,.tar,.tgz,.gz";

const nameOf = (path) => path.split("/").at(-1);
/** The media type of an archive, or null for anything else. */
export const archiveType = (path) => ARCHIVES[path.toLowerCase().split(".").at(-1)] ?? null;
export const folderOf = (path) => path.split("/").at(-2) ?? null;

/** Pictures and archives; hidden files (.DS_Store) are passed over. What has no type may be a picture. */
export const usable = (files) => files.filter(({ file, path }) => !nameOf(path).startsWith(".") && (archiveType(path) || file.type.startsWith("image/") || !file.type));
export const needLabel = (files) => files.some(({ path }) => !archiveType(path) && !folderOf(path));
export const sizeOf = (files) => files.reduce((sum, { file }) => sum + file.size, 0);
export const foldersOf = (files) => new Set(files.map(({ path }) => folderOf(path)).filter(Boolean));

/** [body, headers] of one request: an archive alone, or pictures, those in no folder of the class `label`. */
export function asBody(files, label) {
  const type = archiveType(files[0].path);
  if (type) return [files[0].file, { "Content-Type": type }];
  const form = new FormData();
  for (const { file, path } of files) {
    form.append("labels", folderOf(path) ?? label);
    form.append("images", file, file.name.slice(-200));
  }
  return [form, {}];
}
