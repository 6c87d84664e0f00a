// Gives a file to the person and says where it went, or why it did not.
import { t } from '../../i18n/i18n.svelte';
import { RequestError, type Content, type Platform } from '../../platform/platform';
import { toasts } from '../../components/toasts.svelte';

/** What a file's name may be everywhere; the rest of it becomes a dash. */
const NAME_CHARS = 80;

export async function saveFile(
  platform: Platform,
  name: string,
  content: () => Content | Promise<Content>,
): Promise<void> {
  try {
    const { path } = await platform.save(fileName(name), await content());
    toasts.show({ text: t('save.done', { file: path ?? fileName(name) }) });
  } catch (error) {
    const { code, message } = RequestError.from(error);
    toasts.show({ text: `${t('save.failed')}: ${message} (${code})`, icon: 'warning' });
  }
}

/** The last part of a path, without what a file system or a listing could read otherwise. */
export function fileName(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  // Nothing that steers, turns the direction of what follows, or is kept by a system.
  const plain = last
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\/:*?"<>|]+/gu, '-')
    .replace(/^[\s.-]+|[\s.]+$/gu, '');
  const letters = [...plain];
  if (letters.length <= NAME_CHARS) return plain || 'file';
  const dot = plain.lastIndexOf('.');
  const end = dot > 0 && plain.length - dot <= 12 ? plain.slice(dot) : '';
  return letters.slice(0, NAME_CHARS - [...end].length).join('') + end;
}
