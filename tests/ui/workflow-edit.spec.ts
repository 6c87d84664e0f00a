// A workflow edited as an outline: its steps by keys and by fields, each change one to the text of its file.
import { expect, test, type Locator, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { answersOf, OWN, OWN_SHOWN, TEAM_TEXT, validation } from './workflow-fixture';

const LANGUAGE = { language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' };
const PAGE = '/workflows/stock_count?edit=1';
const tree = (page: Page) => page.getByRole('tree', { name: 'Steps' });
const item = (page: Page, number: string) =>
  tree(page).getByRole('treeitem', { name: new RegExp(`^${number.replace('.', '\\.')} `) });
/** A row alone: an item also holds its branches. */
const pick = (page: Page, number: string) => item(page, number).locator('.row').first().click();
const pane = (page: Page) => page.getByRole('region', { name: /^(Step \d|The workflow itself)/ });
const file = (page: Page) => page.getByLabel('Workflow file');
const rows = async (page: Page) =>
  (await tree(page).locator('.row').allInnerTexts()).map((text) => text.split('\n').slice(0, 2).join(' '));

async function open(page: Page, text = TEAM_TEXT, path = PAGE, language = 'en') {
  const fake = answersOf(settings({ ...LANGUAGE, language }));
  fake.texts.set('stock_count', text);
  const engine = await fakeEngine(page, fake.answers);
  await page.goto(path);
  return { ...fake, engine };
}

/** The text of the file, as the other view shows it. */
async function textNow(page: Page): Promise<string> {
  await page.keyboard.press('Alt+2');
  const text = await file(page).inputValue();
  await page.keyboard.press('Alt+1');
  return text;
}

async function choose(page: Page, field: Locator, option: string) {
  await field.click();
  await page.getByRole('option', { name: option, exact: true }).click();
}

test.beforeEach(async ({ page }) => {
  await page.clock.setFixedTime(new Date('2026-11-20T11:02:14Z'));
});

test('steps are moved, nested, added, deleted and had back by keys alone', async ({ page }, info) => {
  const watched = await watchPage(page);
  await open(page);
  await expect(tree(page).getByRole('treeitem')).toHaveCount(6);
  expect(await rows(page)).toEqual([
    '1 Count',
    '2 Look',
    '2.1 Money',
    '2.2 Shelves',
    '2.3 Customers',
    '3 Agree',
  ]);
  await page.screenshot({ path: info.outputPath('outline-light.png') });
  await expectAccessible(page);

  await item(page, '1').focus();
  await page.keyboard.press('Alt+ArrowDown');
  expect(await rows(page)).toEqual([
    '1 Look',
    '1.1 Money',
    '1.2 Shelves',
    '1.3 Customers',
    '2 Count',
    '3 Agree',
  ]);
  await expect(item(page, '2')).toBeFocused();
  await page.keyboard.press('Alt+ArrowRight');
  expect(await rows(page)).toEqual([
    '1 Look',
    '1.1 Money',
    '1.2 Shelves',
    '1.3 Customers',
    '1.4 Count',
    '2 Agree',
  ]);
  await expect(item(page, '1.4')).toBeFocused();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(item(page, '1.3')).toBeFocused();
  await page.keyboard.press('Alt+ArrowLeft');
  expect(await rows(page)).toEqual([
    '1 Look',
    '1.1 Money',
    '1.2 Shelves',
    '1.3 Customers',
    '2 Count',
    '3 Agree',
  ]);
  await expect(item(page, '2')).toBeFocused();

  await page.keyboard.press('Delete');
  expect(await rows(page)).toEqual(['1 Look', '1.1 Money', '1.2 Shelves', '1.3 Customers', '2 Agree']);
  await expect(page.getByText('“Count” is deleted.')).toBeVisible();
  await expect(item(page, '2')).toBeFocused();
  await page.keyboard.press('n');
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('Write it down');
  expect(await rows(page)).toContain('3 Write it down');
  // One step back for the words that were typed, one for the step, one for the one that was deleted.
  for (let press = 0; press < 3; press += 1) await page.keyboard.press('Control+z');
  expect(await rows(page)).toEqual([
    '1 Look',
    '1.1 Money',
    '1.2 Shelves',
    '1.3 Customers',
    '2 Count',
    '3 Agree',
  ]);
  await page.keyboard.press('Control+Shift+z');
  expect(await rows(page)).toEqual(['1 Look', '1.1 Money', '1.2 Shelves', '1.3 Customers', '2 Agree']);
  await page.getByRole('button', { name: 'Undo', exact: true }).first().click();
  for (let press = 0; press < 4; press += 1) await page.keyboard.press('Control+z');
  expect(await rows(page)).toEqual([
    '1 Count',
    '2 Look',
    '2.1 Money',
    '2.2 Shelves',
    '2.3 Customers',
    '3 Agree',
  ]);
  expect(await textNow(page)).toBe(TEAM_TEXT);
  expect(watched.errors).toEqual([]);
});

test('a change keeps comments and the way the file is written', async ({ page }) => {
  const { engine } = await open(page);
  await item(page, '1').focus();
  await page.keyboard.press('Alt+ArrowDown');
  const moved = await textNow(page);
  expect(moved).toContain('  # Twice, if in doubt.\n  - id: count');
  expect(moved).toContain('    agent: operations # alone\n');
  expect(moved.split('\n').toSorted()).toEqual(TEAM_TEXT.split('\n').toSorted());

  await item(page, '2').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.getByLabel('Instructions').fill('Count twice.\nThen write.');
  await page.getByLabel('Result is called').fill('stock');
  await page.getByRole('button', { name: 'Limits' }).click();
  await page.getByLabel('Money at most').fill('1.50');
  await page.getByLabel('Time at most').fill('5m');
  const text = await textNow(page);
  expect(text).toContain(
    '  - id: stock\n    name: Count\n    agent: operations # alone\n    task: |\n      Count twice.\n      Then write.\n',
  );
  expect(text).toContain('    limits:\n      budget_usd: 1.50\n      elapsed: 5m\n');
  await page.keyboard.press('Control+s');
  await expect(page).toHaveURL(/workflows\/stock_count$/);
  const taken = engine.calls.filter(({ name }) => name === 'definitions.import');
  expect(taken).toMatchObject([{ params: { file: { text } } }]);
});

test('who works, and how, is chosen', async ({ page }, info) => {
  await open(page);
  await pick(page, '1');
  await expect(pane(page)).toContainText('Operations');
  await page.getByRole('button', { name: 'Add an agent' }).click();
  await page.getByRole('menuitem', { name: 'Customer Service' }).click();
  await pane(page).getByRole('button', { name: 'Customer Service Agent: earlier' }).click();
  expect(await textNow(page)).toContain('    agents: [customer_service, operations]\n');
  await pick(page, '1');
  await pane(page).getByRole('radio', { name: 'As a talk' }).check();
  await choose(page, pane(page).getByLabel('Who speaks next'), 'A model picks');
  await pane(page).getByRole('button', { name: 'Add a condition' }).click();
  await pane(page).getByRole('button', { name: 'Add a condition' }).click();
  await choose(page, pane(page).getByRole('combobox', { name: 'Condition 2' }), 'Last words hold');
  await pane(page).getByLabel('Value of condition 2').fill('DONE');
  await pane(page).getByLabel('Turns of a talk at most').fill('6');
  await choose(page, pane(page).getByLabel('What counts'), 'a model sums it up');
  await page.screenshot({ path: info.outputPath('talk.png') });
  await expectAccessible(page);
  expect(await textNow(page)).toContain(`    chat:
      agents: [customer_service, operations]
      select: selector
      max_round: 6
      stop:
        any:
          - rounds: 10
          - text: DONE
      summary: model
`);

  await pick(page, '2');
  await choose(page, pane(page).getByLabel('Done when'), 'the first has succeeded');
  await page.getByRole('button', { name: 'Add a branch' }).click();
  await expect(item(page, '2.4')).toContainText('New step');
  await pick(page, '3');
  await pane(page).getByLabel('Only chosen tools').check();
  await expect(pane(page).getByRole('checkbox', { name: 'email.send' })).toBeChecked();
  await pane(page).getByRole('checkbox', { name: 'email.send' }).uncheck();
  await pane(page).getByLabel('Only chosen results').check();
  await pane(page).getByRole('checkbox', { name: 'Count', exact: true }).uncheck();
  await pane(page).getByLabel('You are asked before it starts').check();
  const text = await textNow(page);
  expect(text).toContain('      join: any\n');
  expect(text).toContain('    approve: plan\n    tools: [web.fetch]\n    reads: [look]\n');
  // What no field is for stays where it is.
  expect(text).toContain('    colour: red # of the shelf');
  await expect(pane(page)).toContainText('Also in the file, and left as it is: colour');
});

test('what a field cannot read is kept, counts as a problem, and stops the saving', async ({
  page,
}, info) => {
  const { engine } = await open(page);
  await page.getByRole('button', { name: 'Stock count The workflow itself' }).click();
  const save = page.getByRole('button', { name: 'Save' });
  const money = pane(page).getByLabel('Money at most');
  await money.fill('2,50');
  await expect(money).not.toHaveAttribute('aria-invalid');
  await expect(money).toHaveValue('2,50');
  await money.blur();
  await expect(money).toHaveValue('2.50');
  await expect(save).toBeEnabled();

  await pane(page).getByLabel('Time at most').fill('5 minutes');
  await pane(page).getByLabel('Turns at most', { exact: true }).fill('ten');
  await expect(page.locator('#workflow-state')).toHaveText('It cannot be saved like this');
  await expect(page.getByRole('heading', { name: 'To correct 2' })).toBeVisible();
  await expect(save).toBeDisabled();
  await page.keyboard.press('Control+s');
  // Neither another step nor the other view takes it away, and the complaint leads back to it.
  await pick(page, '3');
  await pane(page).getByLabel('Value of condition 1').fill('four');
  await expect(item(page, '3')).toContainText('1 problem');
  await page.keyboard.press('Alt+2');
  await expect(page.getByRole('heading', { name: 'To correct 3' })).toBeVisible();
  await page.keyboard.press('Alt+1');
  await page.screenshot({ path: info.outputPath('misfits.png') });
  await page.getByRole('button', { name: /A time like 90s/ }).click();
  await expect(pane(page).getByLabel('Time at most')).toHaveValue('5 minutes');
  expect(engine.calls.filter(({ name }) => name === 'definitions.import')).toEqual([]);

  await pane(page).getByLabel('Time at most').fill('5m');
  await pane(page).getByLabel('Turns at most', { exact: true }).fill('10');
  await pick(page, '3');
  await pane(page).getByLabel('Value of condition 1').fill('5');
  await expect(page.locator('#workflow-state')).toHaveText('Nothing is wrong with it');
  await expect(save).toBeEnabled();
  const text = await textNow(page);
  expect(text).toContain('limits: {turns: 10, budget_usd: 2.50, elapsed: 5m}\n');
  expect(text).toContain('- rounds: 5\n');
});

test('a form is one of the file once it can be read', async ({ page }) => {
  await open(page);
  await pick(page, '1');
  const form = pane(page).getByLabel('Form of the result');
  await form.fill('{"type":"object",');
  await expect(pane(page)).toContainText('This cannot be read as a form yet');
  await expect(page.getByRole('button', { name: 'Save' })).toBeDisabled();
  await pick(page, '2');
  await pick(page, '1');
  await expect(form).toHaveValue('{"type":"object",');
  await form.fill('type: object # so\nproperties:\n  shelves: {type: integer}');
  expect(await textNow(page)).toContain(
    '    output:\n      type: object # so\n      properties:\n        shelves: {type: integer}\n',
  );
});

test('a problem stands at its step, and leads to it', async ({ page }, info) => {
  const watched = await watchPage(page);
  await open(page, TEAM_TEXT.replace('- Customers # everyone', '- Customers # nobody'));
  const found = page.getByRole('button', { name: /Step 2 › Branch 3 › agents/ });
  await expect(found).toContainText("there is no agent 'nobody'");
  await expect(page.locator('#workflow-state')).toHaveText('It cannot be saved like this');
  await expect(item(page, '2.3')).toContainText('1 problem');
  await found.focus();
  await page.keyboard.press('Enter');
  await expect(item(page, '2.3')).toBeFocused();
  await expect(pane(page)).toContainText("there is no agent 'nobody'");
  await page.screenshot({ path: info.outputPath('problem.png') });
  await expectAccessible(page);
  // Where it is folded away, the step around it says so.
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await expect(item(page, '2')).toContainText('1 problem');
  expect(watched.errors).toEqual([]);
});

test('what stands there twice while it is written breaks nothing', async ({ page }) => {
  const watched = await watchPage(page);
  const twice = `schema: bwana.workflow/v1
name: Twice
agents: [operations, operations]
steps:
  - {id: a, name: A}
  - {id: a, name: B, agents: [operations, operations], tools: [x, x]}
  - {name: C, reads: [a, a, gone, gone], chat: {agents: [operations, operations]}}
`;
  await open(page, twice);
  await expect(tree(page).getByRole('treeitem')).toHaveCount(3);
  expect(await rows(page)).toEqual(['1 A', '2 B', '3 C']);
  await pick(page, '2');
  await expect(pane(page).getByRole('checkbox', { name: 'x: not available' })).toBeChecked();
  await pick(page, '3');
  await expect(pane(page).getByRole('checkbox', { name: 'gone: not before this step' })).toBeChecked();
  // With its tick it goes itself: there is nothing else it could be.
  await pane(page).getByRole('checkbox', { name: 'gone: not before this step' }).click();
  await expect(pane(page).getByRole('checkbox', { name: 'gone: not before this step' })).toHaveCount(0);
  expect(await textNow(page)).toContain('    reads: [a, a]\n');
  expect(watched.errors).toEqual([]);
});

test('the two views show one document at one place', async ({ page }) => {
  await open(page);
  await pick(page, '2.2');
  await page.getByRole('tab', { name: 'Text' }).click();
  await expect(page).toHaveURL(/view=text$/);
  const chosen = () =>
    file(page).evaluate((area: HTMLTextAreaElement) =>
      area.value.slice(area.selectionStart, area.selectionEnd),
    );
  await expect.poll(chosen).toBe('        - name: Shelves');
  await page.keyboard.press('End');
  await page.keyboard.type(' and boxes');
  await page.keyboard.press('Alt+1');
  await expect(item(page, '2.2')).toContainText('Shelves and boxes');
  await expect(item(page, '2.2')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Alt+2');
  await page.keyboard.press('Control+z');
  await expect(file(page)).toHaveValue(TEAM_TEXT);
  await page.keyboard.press('Control+y');
  await expect(file(page)).toHaveValue(/Shelves and boxes/);

  // What cannot be read has no outline, and says where.
  await file(page).fill('schema: bwana.workflow/v1\nid: a\n   b: c\n');
  await page.keyboard.press('Alt+1');
  await expect(page.getByText('Line 3 cannot be read.')).toBeVisible();
  await page.getByRole('button', { name: 'Go to the text' }).click();
  await expect.poll(chosen).toBe('   b: c');
  await file(page).fill('schema: bwana.workflow/v1\nid: &x a\n');
  await page.keyboard.press('Alt+1');
  await expect(page.getByText('Line 2 uses something the outline does not know')).toBeVisible();
  await expectAccessible(page);
  await page.reload();
  await expect(page.getByText('Line 2 uses something')).toBeVisible();
  await page.keyboard.press('Alt+2');
  await file(page).fill('schema: bwana.workflow/v1\nname: Empty\nagents: [operations]\n');
  await page.keyboard.press('Alt+1');
  await expect(page.getByText('There is no step yet.')).toBeVisible();
  await page.getByRole('button', { name: 'Add a step' }).click();
  await expect(item(page, '1')).toContainText('New step');
});

test('the workflow itself has its fields, and a step its menu', async ({ page }, info) => {
  await open(page);
  await page.getByRole('button', { name: 'Stock count The workflow itself' }).click();
  await pane(page).getByLabel('What it is for').fill('Counts it all.');
  await pane(page).getByRole('button', { name: 'Add an agent' }).click();
  await page.getByRole('menuitem', { name: 'Customer Service' }).click();
  await pane(page).getByLabel('Calls at most').fill('40');
  await page.screenshot({ path: info.outputPath('whole.png') });
  await expectAccessible(page);
  const text = await textNow(page);
  expect(text).toContain('description: Counts it all.\n');
  expect(text).toContain('agents: [operations, business_intelligence, customer_service] # the team\n');
  expect(text).toContain('limits: {turns: 12, calls: 40}\n');

  await pick(page, '2.2');
  await pane(page).getByRole('button', { name: 'What can be done with Shelves' }).click();
  await page.screenshot({ path: info.outputPath('menu.png') });
  await page.getByRole('menuitem', { name: 'Take it out of the branches' }).click();
  await expect(item(page, '3')).toContainText('Shelves');
  await expect(item(page, '3')).toBeFocused();
});

test('what is only worth a look is no problem of a step', async ({ page }) => {
  const fake = answersOf(settings(LANGUAGE), {
    'definitions.validate': (params: { name: string; text: string }) => ({
      ...validation(params),
      issues: [
        {
          severity: 'warning',
          code: 'definition.unused',
          document: 1,
          line: 9,
          path: 'steps[0].id',
          reason: 'nobody reads it',
          hint: '',
          text: 'nobody reads it',
        },
      ],
    }),
  });
  fake.texts.set('stock_count', TEAM_TEXT);
  await fakeEngine(page, fake.answers);
  await page.goto(PAGE);
  await expect(page.getByRole('heading', { name: 'Worth a look 1' })).toBeVisible();
  await expect(item(page, '1')).not.toContainText('problem');
});

test('another version is loaded after a question, and yours is one step back', async ({ page }) => {
  const { engine, shown, texts } = await open(page);
  await page.getByRole('button', { name: 'Stock count The workflow itself' }).click();
  await pane(page).getByLabel('What it is for').fill('Mine.');
  shown.set('stock_count', { ...OWN_SHOWN, hash: 'o2' });
  texts.set('stock_count', TEAM_TEXT.replace('name: Count', 'name: Weigh'));
  engine.change([{ topic: 'workflows', id: 'stock_count', op: 'upsert', row: { ...OWN, ended: 1 } }]);
  const load = page.getByRole('alert').getByRole('button', { name: 'Load the other version' });
  await load.click();
  const question = page.getByRole('dialog');
  await expect(question.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(pane(page).getByLabel('What it is for')).toHaveValue('Mine.');
  await load.click();
  await question.getByRole('button', { name: 'Load the other version' }).click();
  await expect(page.getByRole('alert')).toBeHidden();
  await expect(item(page, '1')).toContainText('Weigh');
  await expect(page.locator('#workflow-view :focus')).toHaveCount(1);
  await page.keyboard.press('Control+z');
  expect(await textNow(page)).toContain('description: Mine.');
});

test('the focus stays where one goes on, also when nothing is left to hold it', async ({ page }) => {
  const text = TEAM_TEXT.slice(0, TEAM_TEXT.indexOf('  - id: look'));
  await open(page, text);
  await item(page, '1').focus();
  await page.keyboard.press('Delete');
  await expect(page.getByText('There is no step yet.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Stock count The workflow itself' })).toBeFocused();
  await page.getByRole('region', { name: 'Notices' }).getByRole('button', { name: 'Undo' }).click();
  await expect(item(page, '1')).toBeFocused();
  await pane(page).getByLabel('Name').fill('Weigh');
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await expect(item(page, '1')).toContainText('Count');
  await expect(item(page, '1')).toBeFocused();
});

test('two windows on one workflow have each their own words', async ({ page }) => {
  const first = await open(page);
  const other = await page.context().newPage();
  await fakeEngine(other, first.answers);
  const about = (one: Page) => pane(one).getByLabel('What it is for');
  const whole = (one: Page) => one.getByRole('button', { name: 'Stock count The workflow itself' }).click();
  await whole(page);
  await about(page).fill('Of the first.');
  await expect.poll(() => [...first.drafts.values()].join()).toContain('Of the first.');
  await other.goto(PAGE);
  await whole(other);
  await expect(about(other)).toHaveValue('');
  await about(other).fill('Of the second.');
  await expect.poll(() => [...first.drafts.values()].join()).toContain('Of the second.');
  await page.keyboard.press('Control+s');
  await expect(page).toHaveURL(/workflows\/stock_count$/);
  await expect.poll(() => [...first.drafts.values()].join()).not.toContain('Of the first.');
  expect([...first.drafts.values()].join()).toContain('Of the second.');
  await other.reload();
  await whole(other);
  await expect(about(other)).toHaveValue('Of the second.');
  await other.close();
});

test('the way back asks too, and a text that is too long for a draft is not lost', async ({ page }) => {
  const { drafts } = await open(page, TEAM_TEXT, '/workflows/stock_count');
  await page
    .getByRole('link', { name: 'Edit' })
    .or(page.getByRole('button', { name: 'Edit' }))
    .first()
    .click();
  await page.keyboard.press('Alt+2');
  const long = `${TEAM_TEXT}# ${'x'.repeat(200_000)}\n`;
  await file(page).fill(long);
  await page.goBack();
  const question = page.getByRole('dialog', { name: 'Leave without saving?' });
  await expect(question).toBeVisible();
  await expect(page).toHaveURL(/edit=1&view=text$/);
  await expect(question.getByRole('button', { name: 'Leave, keep the draft' })).toBeHidden();
  await question.getByRole('button', { name: 'Stay here' }).click();
  await expect(file(page)).toHaveValue(long);
  await page.goBack();
  await question.getByRole('button', { name: 'Discard changes' }).click();
  await expect(page).toHaveURL(/workflows\/stock_count$/);
  // Forward to it again, and back with something that a draft holds.
  await page.goForward();
  await expect(file(page)).toHaveValue(TEAM_TEXT);
  await file(page).fill(`${TEAM_TEXT}# kept\n`);
  await page.goBack();
  await question.getByRole('button', { name: 'Leave, keep the draft' }).click();
  await expect(page).toHaveURL(/workflows\/stock_count$/);
  await expect.poll(() => [...drafts.values()].join()).toContain('# kept');
});

test('a new one is not saved yet, is called as it is named, and says when it is an old draft', async ({
  page,
}) => {
  await open(page, TEAM_TEXT, '/workflows?new=1');
  await page.getByRole('button', { name: 'New workflow' }).first().click();
  await expect(page.getByText('It is not saved yet.')).toBeVisible();
  await page.getByRole('button', { name: 'My workflow The workflow itself' }).click();
  await pane(page).getByLabel('Name', { exact: true }).fill('Prices of maize');
  await expect(pane(page).getByLabel('Id')).toHaveValue('prices_of_maize');
  await expect(page.getByText('What you had not saved last time')).toBeHidden();
  await pane(page).getByLabel('Id').fill('maize');
  await pane(page).getByLabel('Name', { exact: true }).fill('Maize at the market');
  await expect(pane(page).getByLabel('Id')).toHaveValue('maize');
  await page.waitForTimeout(400);
  await page.reload();
  await expect(page.getByText('What you had not saved last time is here again.')).toBeVisible();
  await page.getByRole('button', { name: 'Start empty' }).click();
  await expect(page.getByText('What you had not saved last time')).toBeHidden();
  expect(await textNow(page)).toContain('id: my_workflow');
  await page.getByRole('button', { name: 'Undo', exact: true }).last().click();
  await expect.poll(() => textNow(page)).toContain('id: maize');
});

for (const [theme, language, width] of [
  ['dark', 'en', 1280],
  ['light', 'ar', 1280],
  ['dark', 'ar', 900],
  ['light', 'fr', 900],
] as const) {
  test(`the outline stands ${theme}, in ${language}, at ${width}`, async ({ page }, info) => {
    await page.addInitScript((name) => localStorage.setItem('bwana.theme', name), theme);
    await page.setViewportSize({ width, height: 800 });
    await open(page, TEAM_TEXT.replace('# alone', 'nobody'), PAGE, language);
    await expect(page.locator('html')).toHaveAttribute('lang', language);
    await page.locator('[role=treeitem] .row').nth(4).click();
    await expect(page.locator('#workflow-state')).not.toBeEmpty();
    await page.screenshot({ path: info.outputPath(`outline-${theme}-${language}-${width}.png`) });
    await expectAccessible(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
    if (language !== 'ar') return;
    // Inward is where the text goes.
    await page.locator('[role=treeitem] .row').nth(0).click();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowLeft');
    await expect(page.locator('[role=treeitem][aria-level="2"]').first()).toBeFocused();
  });
}
