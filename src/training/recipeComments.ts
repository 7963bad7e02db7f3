/** Recipes may carry comments, from `//` to the end of a line, outside of strings. Nothing else is added to JSON. */

/** The text with spaces in place of comments, so that positions in error messages stay. */
export function withoutComments(text: string): string {
  // A string, or a comment; what lies between them is left alone.
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*/g, (part) =>
    part.startsWith('"') ? part : ' '.repeat(part.length),
  );
}
