/** What a file that was dropped, pasted or picked is meant as, told from its name and type; the content is judged by those who read it. */

export type FileKind = 'image' | 'checkpoint' | 'other';

const checkpointName = /\.(safetensors|pth|pt|ckpt|bin|pth\.tar|tar)$/i;
const imageName = /\.(jpe?g|png|webp|gif|avif|bmp)$/i;

export function kindOf(file: File): FileKind {
  if (checkpointName.test(file.name)) return 'checkpoint';
  return file.type.startsWith('image/') || imageName.test(file.name) ? 'image' : 'other';
}

export const accepted = 'image/*,.safetensors,.pth,.pt,.ckpt,.tar';
