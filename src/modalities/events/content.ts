/** Stored recordings, to tell data from other data: files as they are, and which part of them a sample is. */
import { fileOf, type RecordingStore } from '../../data/events/recordingStore.js';
import { fileBytes, fileSize } from '../../data/storedFiles.js';
import type { StoredContent } from '../modality.js';

export function recordingContent(store: RecordingStore): StoredContent {
  const { files, clips } = store;
  return {
    what: 'files',
    inMemory: files.kind === 'encoded',
    sizeOf: (position) => fileSize(files, fileOf(store, position)),
    async *bytesOf(position) {
      // The file of a clip stands for itself in the clip's name and size; its content is read with the first clip of it.
      if (clips === undefined || position === clips.file.indexOf(clips.file[position]!))
        yield* fileBytes(files, fileOf(store, position));
      if (clips !== undefined) yield `\n${clips.from[position]} ${clips.to[position]}`;
    },
  };
}
