import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings, type FakeEngine } from './engine';
import { expectAccessible, watchPage } from './page';
import {
  ALL,
  ANSWER,
  CONTACT,
  DECIDED,
  decidedRow,
  engineOf,
  GRANT,
  NOW,
  PLAN,
  PRICE,
  RUN_A,
  RUN_B,
  UNCERTAIN,
  WRITE,
  type Row,
} from './waiting-fixture';

interface Opened {
  open?: readonly Row[];
  path?: string;
  more?: Record<string, unknown>;
  caller?: string;
}

/** Opens the screen with the clock held: time passes only where a test says so. */
async function openWaiting(page: Page, { open = ALL, path = '/waiting', more = {}, caller }: Opened = {}) {
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, engineOf(open, more));
  if (caller) await page.addInitScript((who) => sessionStorage.setItem('bwana.caller', who), caller);
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1, name: 'Waiting for you' })).toBeVisible();
  return { engine, watched };
}

const card = (page: Page, name: string | RegExp) => page.getByRole('region', { name });
const contact = (page: Page) => card(page, 'Sales & Marketing Agent wants to use webhook.send');
const write = (page: Page) => card(page, 'Operations Agent wants to use file.write');
const list = (page: Page) => page.getByRole('listbox', { name: 'Open questions' });
const deciding = ({ calls }: FakeEngine) =>
  calls.filter(({ name }) => /^tasks\.(approve|deny|answer|resolve)$/.test(name));
/** The card has been there long enough to hear keys. */
const settled = (page: Page) => page.clock.fastForward(600);
const only = (task: Row) => ({ open: [task] });

function tell(engine: FakeEngine, ...rows: Row[]) {
  engine.change(rows.map((row) => ({ topic: 'tasks', id: row.id, op: 'upsert' as const, row })));
}

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 640],
] as const) {
  test(`the screen in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.clock.install({ time: NOW });
    await page.clock.resume();
    const watched = await watchPage(page);
    await fakeEngine(page, {
      ...engineOf(ALL),
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    for (const task of [CONTACT, WRITE, UNCERTAIN, ANSWER, PLAN, PRICE]) {
      await page.goto(`/waiting?task=${task.id}`);
      await expect(page.locator('section.ask')).toBeVisible();
      await expect(page.locator('section.ask a')).toBeVisible();
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: info.outputPath(`waiting-${name}-${task.kind}-${task.id.at(-1)}.png`) });
      await expectAccessible(page);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider).toBeLessThanOrEqual(0);
    }
    expect(watched.errors).toEqual([]);
  });
}

test('the list has what waits longest first, with who, what, where and how long', async ({ page }) => {
  await openWaiting(page);
  const rows = list(page).getByRole('option');
  await expect(rows).toHaveCount(6);
  await expect(rows.nth(0)).toContainText('Sales & Marketing');
  await expect(rows.nth(0)).toContainText('webhook.send');
  await expect(rows.nth(0)).toContainText('contacts people');
  await expect(rows.nth(0)).toContainText('African Market Expansion');
  await expect(rows.nth(0)).toContainText('38 min');
  await expect(rows.nth(5)).toContainText('Nobody knows what lab/brand-new-1 costs');
  await expect(rows.nth(0)).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByText('6 questions in 2 runs.')).toBeVisible();
});

test('an approval shows who asks, what exactly would happen, and where it was asked', async ({ page }) => {
  await openWaiting(page);
  const one = contact(page);
  await expect(
    one.getByRole('heading', { name: 'Sales & Marketing Agent wants to use webhook.send' }),
  ).toBeVisible();
  await expect(one).toContainText('contacts people');
  await expect(one).toContainText('https://orders.freshbox.example/hook');
  await expect(one).toContainText('Text from outside is in this run');
  await expect(one).toContainText('What is sent cannot be called back.');
  await expect(one).toContainText('Execute outreach campaign');
  await one.getByRole('button', { name: 'Exactly what is handed over' }).click();
  await expect(one.locator('pre')).toContainText('"count": 2');
  await expect(one.locator('.block')).toHaveAttribute('dir', 'ltr');
  await expect(one).toContainText('it reaches people outside');
  await expect(one.getByRole('link', { name: 'African Market Expansion' })).toHaveAttribute(
    'href',
    `/run/${RUN_A}?at=25`,
  );
});

test('a character that would not be seen is shown by its number', async ({ page }) => {
  const args = JSON.stringify({ url: 'https://bank\u202e.example' });
  await openWaiting(page, only({ ...CONTACT, ask: { ...CONTACT.ask, args, preview: 'Send\u200b' } }));
  await expect(contact(page).getByText('U+202E')).toBeVisible();
  await expect(contact(page).getByText('U+200B')).toBeVisible();
});

test('one press allows once where one is enough, and one call is recorded on a double click', async ({
  page,
}) => {
  const { engine } = await openWaiting(page, only(WRITE));
  await write(page).getByRole('button', { name: 'Allow once' }).dblclick();
  await expect(write(page).getByRole('button', { name: 'Sending' })).toHaveAttribute('aria-disabled', 'true');
  await expect(write(page).getByRole('button', { name: 'Deny' })).toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('a');
  expect(deciding(engine)).toEqual([{ name: 'tasks.approve', params: { task: WRITE.id, scope: 'once' } }]);
  // Not optimistic: the card stands until the feed says so.
  await expect(write(page)).toBeVisible();
  tell(engine, decidedRow(WRITE, { kind: 'approve' }));
  await expect(write(page)).toBeHidden();
  await expect(page.getByText('Nothing waits for you.')).toBeVisible();
});

test('the second half of a double click does not decide the next card', async ({ page }) => {
  const next = { ...WRITE, id: '01JD00000000000000000000T9', opened_at: '2026-11-20T11:11:00Z' };
  const { engine } = await openWaiting(page, { open: [next, WRITE] });
  await page.clock.pauseAt(new Date(NOW.getTime() + 60_000));
  await write(page).getByRole('button', { name: 'Allow once' }).click();
  tell(engine, decidedRow(WRITE, { kind: 'approve' }));
  await expect(list(page).getByRole('option')).toHaveCount(1);
  await write(page).getByRole('button', { name: 'Allow once' }).click();
  expect(deciding(engine)).toHaveLength(1);
  await page.clock.runFor(500);
  await write(page).getByRole('button', { name: 'Allow once' }).click();
  expect(deciding(engine).map(({ params }) => params['task'])).toEqual([WRITE.id, next.id]);
});

test('contact takes a second click within three seconds and says so between', async ({ page }) => {
  const { engine } = await openWaiting(page, only(CONTACT));
  await page.clock.pauseAt(new Date(NOW.getTime() + 60_000));
  const one = contact(page);
  await one.getByRole('button', { name: 'Allow once' }).click();
  await expect(one.getByRole('button', { name: 'Press again: Allow once' })).toBeVisible();
  await page.clock.runFor(3_100);
  await expect(one.getByRole('button', { name: 'Allow once', exact: true })).toBeVisible();
  await one.getByRole('button', { name: 'Allow once' }).click();
  expect(deciding(engine)).toEqual([]);
  await one.getByRole('button', { name: 'Press again: Allow once' }).click();
  await expect.poll(() => deciding(engine)).toHaveLength(1);
});

test('contact takes its key twice; a held key counts once, and Escape takes the first back', async ({
  page,
}) => {
  const { engine } = await openWaiting(page, only(CONTACT));
  const one = contact(page);
  await expect(one).toBeVisible();
  await settled(page);
  await one.getByRole('button', { name: 'Exactly what is handed over' }).focus();
  await page.keyboard.down('a');
  await page.keyboard.down('a');
  await page.keyboard.down('a');
  await page.keyboard.up('a');
  await expect(one.getByRole('button', { name: 'Press again: Allow once' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(one.getByRole('button', { name: 'Allow once', exact: true })).toBeVisible();
  await page.keyboard.press('a');
  expect(deciding(engine)).toEqual([]);
  await page.keyboard.press('a');
  await expect.poll(() => deciding(engine)).toHaveLength(1);
});

test('a card hears no keys for half a second after it appears or changes', async ({ page }) => {
  const { engine } = await openWaiting(page, only(WRITE));
  await expect(write(page)).toBeVisible();
  await settled(page);
  await page.clock.pauseAt(new Date(NOW.getTime() + 60_000));
  const changed = { ...WRITE, ask: { ...WRITE.ask, preview: 'Write 48 bytes' } };
  tell(engine, changed);
  await expect(write(page)).toContainText('Write 48 bytes');
  await page.clock.runFor(490);
  await page.keyboard.press('a');
  await page.keyboard.press('d');
  await write(page).getByRole('button', { name: 'Allow once' }).press('Enter');
  expect(deciding(engine)).toEqual([]);
  await expect(write(page).getByRole('textbox')).toHaveCount(0);
  await page.clock.runFor(20);
  await page.keyboard.press('a');
  await expect.poll(() => deciding(engine)).toHaveLength(1);
});

test('the same row told again does not silence the card', async ({ page }) => {
  const { engine } = await openWaiting(page, only(WRITE));
  await expect(write(page)).toBeVisible();
  await settled(page);
  await page.clock.pauseAt(new Date(NOW.getTime() + 60_000));
  tell(engine, { ...WRITE, ask: { ...WRITE.ask } });
  await page.clock.runFor(50);
  await page.keyboard.press('a');
  await expect.poll(() => deciding(engine)).toHaveLength(1);
});

test('allowed in the workflow with the offer that is shown, and others from the menu', async ({ page }) => {
  const { engine } = await openWaiting(page, only(WRITE));
  const one = write(page);
  await expect(one).toContainText('Allow file.write in this workflow, exactly like this, for 30 days');
  await one.getByRole('button', { name: 'How far it reaches' }).click();
  const reach = one.getByRole('group', { name: 'How far it reaches' });
  await expect(reach.getByRole('radio')).toHaveCount(4);
  await expectAccessible(page);
  await reach.getByRole('radio', { name: 'Allow file.write in this run, in the folder drafts' }).check();
  await expect(one).toContainText('Allow file.write in this run, in the folder drafts');
  expect(deciding(engine)).toEqual([]);
  await one.getByRole('button', { name: 'Allow in this run' }).click();
  await expect
    .poll(() => deciding(engine))
    .toEqual([
      {
        name: 'tasks.approve',
        params: { task: WRITE.id, scope: 'run', pattern: { kind: 'folder', folder: 'drafts' } },
      },
    ]);
});

test('edited first: each argument in its field, what is not JSON is said, the edit is sent', async ({
  page,
}, info) => {
  const { engine } = await openWaiting(page, only(CONTACT));
  const one = contact(page);
  await one.getByRole('button', { name: 'Edit first' }).click();
  await expect(one.getByRole('textbox', { name: 'Address' })).toBeFocused();
  const body = one.getByRole('textbox', { name: 'Message' });
  await body.fill('{"subject": "Hello"');
  const send = one.getByRole('button', { name: /Allow with these changes/ });
  await send.click();
  await expect(one.getByText('This is not JSON')).toBeVisible();
  await page.screenshot({ path: info.outputPath('waiting-edit.png') });
  await expectAccessible(page);
  await body.fill('{"subject": "Hello"}');
  await one.getByRole('textbox', { name: 'Title' }).fill('Shorter');
  await send.click();
  expect(deciding(engine)).toEqual([]);
  await send.click();
  await expect
    .poll(() => deciding(engine))
    .toEqual([
      {
        name: 'tasks.approve',
        params: {
          task: CONTACT.id,
          scope: 'once',
          edit: {
            url: 'https://orders.freshbox.example/hook',
            title: 'Shorter',
            body: { subject: 'Hello' },
          },
        },
      },
    ]);
});

test('an edit outlives Esc, the way home and back, and a new window', async ({ page }) => {
  let kept = '';
  const { engine } = await openWaiting(page, {
    open: [WRITE],
    more: {
      'drafts.get': ({ place }: { place: string }) => ({
        place,
        text: place === `task:${WRITE.id}` ? kept : '',
      }),
      'drafts.set': ({ place, text }: { place: string; text: string }) => {
        if (place === `task:${WRITE.id}`) kept = text;
        return { place };
      },
    },
  });
  const one = write(page);
  const text = one.getByRole('textbox').last();
  await one.getByRole('button', { name: 'Edit first' }).click();
  const before = await text.inputValue();
  await text.fill(`${before}, and more`);
  await page.keyboard.press('Escape');
  await expect(one).toContainText('Your changes are kept under “Edit first”.');
  await expectAccessible(page);
  await one.getByRole('button', { name: 'Edit first' }).click();
  await expect(text).toHaveValue(`${before}, and more`);
  await expect.poll(() => kept).toContain('and more');
  await page.getByRole('link', { name: 'Home' }).click();
  await expect(one).toBeHidden();
  await page.goBack();
  await expect(one).toContainText('Your changes are kept');
  await page.reload();
  await expect(one).toContainText('Your changes are kept');
  await one.getByRole('button', { name: 'Edit first' }).click();
  await expect(text).toHaveValue(`${before}, and more`);
  await one.getByRole('button', { name: 'Discard changes' }).click();
  await expect(text).toHaveValue(before);
  await expect.poll(() => kept).toBe('');
  await text.fill('Mine');
  await one.getByRole('button', { name: 'Allow with these changes' }).click();
  await expect.poll(() => deciding(engine).length).toBe(1);
  await expect.poll(() => kept).toBe('');
});

test('an edit that somebody else was faster than can be copied', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const { engine } = await openWaiting(page, { open: [WRITE, PLAN] });
  await list(page)
    .getByRole('option', { name: /file\.write/ })
    .click();
  const one = write(page);
  await one.getByRole('button', { name: 'Edit first' }).click();
  await one.getByRole('textbox').last().fill('An hour of work');
  tell(engine, decidedRow(WRITE, { kind: 'deny', reason: '' }, { by: 'local_cli' }));
  await expect(page.getByText('What you had typed was not sent.')).toBeVisible();
  await expect(one).toBeHidden();
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('An hour of work');
});

test('what stands between two presses is what was seen: a change of a field takes the first back', async ({
  page,
}) => {
  const { engine } = await openWaiting(page, only(CONTACT));
  const one = contact(page);
  await one.getByRole('button', { name: 'Edit first' }).click();
  await one.getByRole('button', { name: 'Allow with these changes' }).click();
  await one.getByRole('textbox', { name: 'Title' }).fill('Another');
  await one.getByRole('button', { name: 'Allow with these changes', exact: true }).click();
  await expect(one.getByRole('button', { name: 'Press again: Allow with these changes' })).toBeVisible();
  expect(deciding(engine)).toEqual([]);
});

test('denied with a reason, by the keyboard alone', async ({ page }) => {
  const { engine } = await openWaiting(page, only(WRITE));
  await expect(write(page)).toBeVisible();
  await settled(page);
  await page.keyboard.press('d');
  await expect(write(page).getByRole('textbox', { name: 'Reason, if you like' })).toBeFocused();
  await page.keyboard.type('Ask Amina first');
  await page.keyboard.press('Escape');
  await expect(write(page).getByRole('button', { name: 'Deny' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(write(page).getByRole('textbox')).toHaveValue('Ask Amina first');
  await settled(page);
  await page.keyboard.press('Control+Enter');
  await expect
    .poll(() => deciding(engine))
    .toEqual([{ name: 'tasks.deny', params: { task: WRITE.id, reason: 'Ask Amina first', scope: 'once' } }]);
});

test('denied for good, as far as the person says', async ({ page }, info) => {
  const { engine } = await openWaiting(page, only(CONTACT));
  const one = contact(page);
  await expect(one.getByRole('button', { name: 'Allow in this workflow' })).toHaveCount(0);
  await one.getByRole('button', { name: 'Deny' }).click();
  await expect(one.getByRole('radio', { name: 'Only this one time' })).toBeChecked();
  await one
    .getByRole('radio', { name: 'Never allow webhook.send in this workflow, for orders.freshbox.example' })
    .check();
  await page.screenshot({ path: info.outputPath('waiting-deny.png') });
  await expectAccessible(page);
  await one.getByRole('button', { name: 'Deny now and always' }).click();
  await expect
    .poll(() => deciding(engine))
    .toEqual([
      {
        name: 'tasks.deny',
        params: {
          task: CONTACT.id,
          reason: '',
          scope: 'never',
          pattern: { kind: 'host', host: 'orders.freshbox.example' },
        },
      },
    ]);
});

test('what may have happened: settled, given up, and sent again only by two presses', async ({ page }) => {
  const { engine } = await openWaiting(page, only(UNCERTAIN));
  const one = card(page, 'It is not known whether webhook.send got through');
  await expect(one).toContainText('the connection broke after the message was handed over');
  await expect(one.getByRole('button', { name: 'It happened already' })).toBeVisible();
  await expect(one.getByRole('button', { name: 'Give up' })).toBeVisible();
  await settled(page);
  await page.keyboard.press('s');
  await expect(one.getByRole('button', { name: 'Press again: Send again' })).toBeVisible();
  expect(deciding(engine)).toEqual([]);
  await page.keyboard.press('s');
  await expect
    .poll(() => deciding(engine))
    .toEqual([{ name: 'tasks.resolve', params: { task: UNCERTAIN.id, outcome: 'send_again' } }]);
});

for (const [words, outcome] of [
  ['It happened already', 'happened'],
  ['Give up', 'give_up'],
] as const) {
  test(`what may have happened is settled as ${outcome} by one press`, async ({ page }) => {
    const { engine } = await openWaiting(page, only(UNCERTAIN));
    await page.getByRole('button', { name: words }).click();
    await expect
      .poll(() => deciding(engine))
      .toEqual([{ name: 'tasks.resolve', params: { task: UNCERTAIN.id, outcome } }]);
  });
}

test('an answer is kept as a draft and sent with its words', async ({ page }) => {
  const { engine } = await openWaiting(page, {
    ...only(ANSWER),
    more: { 'drafts.get': ({ place }: { place: string }) => ({ place, text: 'The Bahari' }) },
  });
  const one = card(page, 'Customer Service Agent asks you something');
  await expect(one).toContainText('Which of the two hotels should get the first box?');
  const field = one.getByRole('textbox', { name: 'Your answer' });
  await expect(field).toHaveValue('The Bahari');
  await field.fill('The Likoni, it has no ice.');
  const drafts = () => engine.calls.filter(({ name }) => name === 'drafts.set').map(({ params }) => params);
  await expect.poll(drafts).toEqual([{ place: `task:${ANSWER.id}`, text: 'The Likoni, it has no ice.' }]);
  await settled(page);
  await field.press('Control+Enter');
  await expect
    .poll(() => deciding(engine))
    .toEqual([{ name: 'tasks.answer', params: { task: ANSWER.id, text: 'The Likoni, it has no ice.' } }]);
  await expect.poll(() => drafts().at(-1)).toEqual({ place: `task:${ANSWER.id}`, text: '' });
});

test('an empty answer cannot be sent', async ({ page }) => {
  const { engine } = await openWaiting(page, only(ANSWER));
  await expect(page.getByRole('button', { name: 'Answer', exact: true })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
  await page.getByRole('textbox', { name: 'Your answer' }).press('Control+Enter');
  expect(deciding(engine)).toEqual([]);
});

test('a plan and a price are looked at and answered', async ({ page }) => {
  const { engine } = await openWaiting(page, { open: [PLAN, PRICE] });
  const plan = card(page, 'The step Execute outreach campaign is about to start');
  await expect(plan).toContainText('Sales & Marketing Agent and Operations Agent');
  await expect(plan).toContainText('http.get');
  await plan.getByRole('button', { name: 'Start the step' }).click();
  await expect.poll(() => deciding(engine)).toHaveLength(1);
  tell(engine, decidedRow(PLAN, { kind: 'approve' }));
  const price = card(page, 'Nobody knows what lab/brand-new-1 costs');
  await expect(price).toContainText('only the token limits hold');
  await settled(page);
  await price.getByRole('button', { name: 'Go on' }).click();
  await expect.poll(() => deciding(engine).map(({ params }) => params['task'])).toEqual([PLAN.id, PRICE.id]);
});

test('a refusal of the engine is shown in the card, which then works again', async ({ page }) => {
  const { engine } = await openWaiting(page, only(WRITE));
  delete engine.answers['tasks.approve'];
  await write(page).getByRole('button', { name: 'Allow once' }).click();
  await expect(write(page).getByRole('alert')).toContainText('Your answer was not taken');
  await expect(write(page).getByRole('alert')).toContainText('unknown_command');
  await expectAccessible(page);
  engine.answers['tasks.approve'] = {};
  await write(page).getByRole('button', { name: 'Allow once' }).click();
  await expect(write(page).getByRole('alert')).toHaveCount(0);
  expect(deciding(engine)).toHaveLength(2);
});

test('a question somebody else has answered leaves the screen by itself', async ({ page }) => {
  const { engine } = await openWaiting(page, { open: [WRITE, CONTACT] });
  await expect(contact(page)).toBeVisible();
  tell(engine, decidedRow(CONTACT, { kind: 'deny', reason: 'No' }, { by: 'local_cli' }));
  await expect(write(page)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Answered last' }).locator('..')).toContainText(
    'on the command line',
  );
});

test('in a browser that may not decide the card says where to answer', async ({ page }) => {
  const { engine } = await openWaiting(page, { caller: 'local_browser' });
  for (const task of [CONTACT, WRITE, UNCERTAIN, ANSWER, PLAN, PRICE]) {
    await page.goto(`/waiting?task=${task.id}`);
    const one = page.locator('section.ask');
    await expect(one.getByText('Answer this in the app')).toBeVisible();
    await expect(
      one.getByRole('button', { name: /Allow|Deny|Edit|Send|Give|happened|Start|Go on/ }),
    ).toHaveCount(0);
    await expect(one.getByRole('textbox')).toHaveCount(0);
    await settled(page);
    await page.keyboard.press('a');
    await page.keyboard.press('a');
    await page.keyboard.press('d');
  }
  await expect(page.getByRole('button', { name: /Undo|Take back/ })).toHaveCount(0);
  expect(deciding(engine)).toEqual([]);
  await expectAccessible(page);
});

test('the list is walked by arrows and letters, and the address follows', async ({ page }) => {
  await openWaiting(page);
  const rows = list(page).getByRole('option');
  await expect(rows).toHaveCount(6);
  await page.keyboard.press('j');
  await expect(rows.nth(1)).toBeFocused();
  await expect(page).toHaveURL(new RegExp(`task=${WRITE.id}$`));
  await expect(write(page)).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(rows.nth(2)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('End');
  await expect(rows.nth(5)).toBeFocused();
  await page.keyboard.press('k');
  await expect(rows.nth(4)).toBeFocused();
  await page.keyboard.press('Home');
  await expect(rows.nth(0)).toBeFocused();
});

test('answered by the keyboard alone: the next one is chosen and the focus stays in the list', async ({
  page,
}) => {
  const { engine } = await openWaiting(page, { open: [WRITE, CONTACT, ANSWER] });
  await expect(contact(page)).toBeVisible();
  await page.keyboard.press('j');
  await expect(write(page)).toBeVisible();
  await settled(page);
  await page.keyboard.press('a');
  await expect.poll(() => deciding(engine)).toHaveLength(1);
  tell(engine, decidedRow(WRITE, { kind: 'approve' }));
  const row = list(page).getByRole('option', { name: /Customer Service/ });
  await expect(row).toHaveAttribute('aria-selected', 'true');
  await expect(row).toBeFocused();
  await expect(page).toHaveURL(new RegExp(`task=${ANSWER.id}$`));
});

test('with the focus on a button the answer leads to the next one as well', async ({ page }) => {
  const { engine } = await openWaiting(page, { open: [WRITE, PLAN] });
  await expect(write(page)).toBeVisible();
  await settled(page);
  await write(page).getByRole('button', { name: 'Allow once' }).press('Enter');
  await expect.poll(() => deciding(engine)).toHaveLength(1);
  tell(engine, decidedRow(WRITE, { kind: 'approve' }));
  await expect(list(page).getByRole('option', { name: /Execute outreach/ })).toBeFocused();
});

test('an address opens its question, open or decided, and one that is gone says so', async ({ page }) => {
  await openWaiting(page, {
    path: `/waiting?task=${UNCERTAIN.id}`,
    more: { 'tasks.show': undefined },
  });
  await expect(card(page, /It is not known whether/)).toBeVisible();
  await page.goto(`/waiting?task=${DECIDED.id}`);
  await expect(page.locator('.detail')).toContainText('Allowed');
  await expect(page.locator('.detail')).toContainText('Business Intelligence');
});

test('an address whose question nobody knows says so', async ({ page }) => {
  await openWaiting(page, { path: '/waiting?task=nothing' });
  await expect(page.getByText('This question is not there any more')).toBeVisible();
});

test('nothing waits: the screen is calm and shows what was answered last, with the way back', async ({
  page,
}, info) => {
  const undone = { ...GRANT, stands: false, revoked_at: NOW.toISOString() };
  const { engine, watched } = await openWaiting(page, { open: [], more: { 'grants.undo': undone } });
  await expect(page.getByText('Nothing waits for you.')).toBeVisible();
  const last = page.getByRole('heading', { name: 'Answered last' }).locator('..');
  await expect(last.getByRole('listitem')).toHaveCount(3);
  await expect(last.getByRole('listitem').nth(0)).toContainText('Business Intelligence Agent · in the app');
  await expect(last.getByRole('listitem').nth(1)).toContainText('Allowed with changes');
  await expect(last.getByRole('listitem').nth(2)).toContainText('Not before the price is fixed');
  await page.screenshot({ path: info.outputPath('waiting-empty.png') });
  await expectAccessible(page);
  engine.answers['grants.list'] = { grants: [undone] };
  await last.getByRole('button', { name: /Undo/ }).click();
  await expect(last).toContainText('Taken back');
  expect(engine.calls.find(({ name }) => name === 'grants.undo')?.params).toEqual({ task: DECIDED.id });
  expect(watched.errors).toEqual([]);
});

test('what was allowed is listed and taken back', async ({ page }, info) => {
  const { engine } = await openWaiting(page, {
    more: { 'grants.revoke': { ...GRANT, stands: false, revoked_at: NOW.toISOString() } },
  });
  await page.getByRole('tab', { name: /What you allowed/ }).click();
  const panel = page.getByRole('tabpanel');
  await expect(panel).toContainText(
    'Allow http.get in this workflow, for everything at ice.example, for 30 days',
  );
  await expect(panel).toContainText('Used 4 times');
  await page.screenshot({ path: info.outputPath('waiting-allowed.png') });
  await expectAccessible(page);
  engine.answers['grants.list'] = { grants: [] };
  await panel.getByRole('button', { name: /Take back/ }).click();
  await expect(panel).toContainText('You have allowed and forbidden nothing');
  expect(engine.calls.find(({ name }) => name === 'grants.revoke')?.params).toEqual({ grant: GRANT.id });
});

test('the link leads into the run, at the entry that asked', async ({ page }) => {
  await openWaiting(page, only(WRITE));
  const link = write(page).getByRole('link', { name: 'Weekly competitor scan' });
  await expect(link).toHaveAttribute('href', `/run/${RUN_B}?at=20`);
});

test('a question that comes while another is read joins the list and changes nothing else', async ({
  page,
}) => {
  const { engine } = await openWaiting(page, { open: [PLAN] });
  await expect(page.getByRole('button', { name: 'Start the step' })).toBeVisible();
  tell(engine, CONTACT);
  await expect(list(page).getByRole('option')).toHaveCount(2);
  await expect(list(page).getByRole('option').nth(1)).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('button', { name: 'Start the step' })).toBeVisible();
});

test('the quick window asks the one that waits longest and takes the answer there', async ({
  page,
}, info) => {
  await page.setViewportSize({ width: 420, height: 520 });
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const watched = await watchPage(page);
  await page.addInitScript(() => {
    Object.assign(window, { __bwana: { window: 'quick' } });
  });
  const engine = await fakeEngine(page, engineOf([WRITE, CONTACT]));
  // This window may not ask for it.
  delete engine.answers['agents.list'];
  await page.goto('/');
  const one = card(page, /wants to use webhook.send/);
  await expect(one).toBeVisible();
  await expect(page.getByText('1 more waits')).toBeVisible();
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: info.outputPath('quick-task.png') });
  await expectAccessible(page);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wider).toBeLessThanOrEqual(0);
  // Letters are written into the question field; they decide nothing.
  await page.keyboard.type('aa');
  expect(deciding(engine)).toEqual([]);
  await one.getByRole('button', { name: 'Allow once' }).click();
  await one.getByRole('button', { name: 'Press again: Allow once' }).click();
  await expect.poll(() => deciding(engine)).toHaveLength(1);
  tell(engine, decidedRow(CONTACT, { kind: 'approve' }));
  await expect(card(page, /wants to use file.write/)).toBeVisible();
  expect(watched.errors).toEqual([]);
});
