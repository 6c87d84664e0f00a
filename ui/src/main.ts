// The start of the window: words, platform, session, then the frame. The gallery is reached here in dev and test builds.
import './theme/fonts.css';
import './theme/tokens.css';
import './theme/base.css';
import { mount } from 'svelte';
import { start } from './app/start';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');

if (__WITH_GALLERY__ && location.pathname === '/gallery') {
  void import('./gallery/Gallery.svelte').then(async ({ default: Gallery }) => {
    const { openGallery } = await import('./gallery/open');
    await openGallery();
    mount(Gallery, { target });
  });
} else {
  void start(target);
}
