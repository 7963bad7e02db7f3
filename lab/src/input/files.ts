/** What a file that was dropped, pasted or picked is meant as, told from its name and type; the content is judged by those who read it. */

export type FileKind = 'image' | 'checkpoint' | 'recording' | 'other';

const checkpointName = /\.(safetensors|pth|pt|ckpt|pth\.tar|tar)$/i;
const recordingName = /\.(aedat[234]?|dat2?|raw|bs2|es|np[yz]|h5|hdf5?|csv|tsv)$/i;
const imageName = /\.(jpe?g|png|webp|gif|avif|bmp)$/i;

export async function kindOf(file: File): Promise<FileKind> {
  if (/\.bin$/i.test(file.name)) return (await holdsWeights(file)) ? 'checkpoint' : 'recording';
  if (checkpointName.test(file.name)) return 'checkpoint';
  if (recordingName.test(file.name)) return 'recording';
  return file.type.startsWith('image/') || imageName.test(file.name) ? 'image' : 'other';
}

/** PyTorch's `.bin` is a ZIP archive or a pickle; N-MNIST's begins with the column of an event, which is 33 at most. */
async function holdsWeights(file: File): Promise<boolean> {
  const head = await file
    .slice(0, 2)
    .arrayBuffer()
    .catch(() => new ArrayBuffer(0));
  const [first, second] = new Uint8Array(head);
  return first === 0x80 || (first === 0x50 && second === 0x4b);
}

const checkpoints = '.safetensors,.pth,.pt,.ckpt,.tar,.bin';
const recordings = '.aedat,.aedat2,.aedat3,.aedat4,.raw,.dat,.bin,.bs2,.es,.npy,.npz,.csv,.tsv,.txt';
export const accepted = `image/*,${checkpoints}`;
export const acceptedWithEvents = `${recordings},${checkpoints}`;
