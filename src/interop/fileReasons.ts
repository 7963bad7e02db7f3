/** What the operating system's error codes mean for the person at the keyboard, in words that say what to do. */

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder; check the path',
  ENOTDIR: 'a part of the path is a file, not a folder; check the path',
  EISDIR: 'is a directory; name a file',
  EEXIST: 'there is something of this name already; choose another place',
  EACCES: 'permission denied; check the permissions of the file and its folder',
  EPERM: 'permission denied; check the permissions of the file and its folder',
  EROFS: 'the file system is read-only; choose another place',
  ENOSPC: 'no space left on the disk; free some and try again',
  EDQUOT: 'the disk quota is used up; free some space and try again',
  EFBIG: 'the file system does not take files of this size; choose another place',
  EIO: 'the disk reports an error; check it or choose another place',
  ENAMETOOLONG: 'the name is too long; choose a shorter one',
  ELOOP: 'links lead in a circle; check the path',
  EMFILE: 'too many files are open; raise the limit (ulimit -n) and try again',
  ENFILE: 'too many files are open on this machine; close some and try again',
  ENOMEM: 'memory ran out; free some and try again',
  EBUSY: 'is in use; wait or choose another place',
  ESTALE: 'the network file system has lost it; mount it again',
  ETIMEDOUT: 'the network file system does not answer; check it',
};

/** Whether the operating system, not this program, is the cause of an error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** Why an operation on a file failed and what to do, without the file's name. */
export function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? `${error.message.replace(/\s+/g, ' ')}; check the file and the disk`;
}
