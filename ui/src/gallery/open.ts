// Brings the gallery up from its address: `?theme=dark&lang=ar`. Dev and test builds only.
import { giveHost } from '../components/host';
import { useLanguage } from '../i18n/i18n.svelte';

export async function openGallery(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const theme = query.get('theme');
  if (theme) {
    localStorage.setItem('bwana.theme', theme);
    dispatchEvent(new Event('bwana:theme'));
  }
  giveHost({ copy: (text) => navigator.clipboard.writeText(text), openLink: () => undefined });
  await useLanguage({
    language: query.get('lang') ?? 'en',
    region: 'KE',
    timeZone: 'Africa/Nairobi',
    currency: 'KES',
    rates: { KES: { per_usd: 129, minor_digits: 2, day: '2026-11-20' } },
  });
}
