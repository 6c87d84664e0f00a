// Invented content for the gallery. Dev and test builds only.
import type { Mark } from '../components/StatusMark.svelte';

export const AGENTS = [
  { id: 'business_intelligence', name: 'Business Intelligence' },
  { id: 'technical_implementation', name: 'Technical Implementation' },
  { id: 'customer_service', name: 'Customer Service' },
  { id: 'sales_marketing', name: 'Sales & Marketing' },
  { id: 'operations', name: 'Operations' },
] as const;

export const WORKFLOWS: {
  id: string;
  name: string;
  agents: (typeof AGENTS)[number][];
  mark: Mark;
  last: string;
  median: number;
  good: number;
}[] = [
  {
    id: 'w1',
    name: 'Complete Business Setup',
    agents: AGENTS.slice(0, 3),
    mark: 'run',
    last: 'Running',
    median: 0.46,
    good: 19,
  },
  {
    id: 'w2',
    name: 'African Market Expansion',
    agents: [AGENTS[0], AGENTS[3]],
    mark: 'need',
    last: 'Needs you',
    median: 0.31,
    good: 18,
  },
  {
    id: 'w3',
    name: 'Weekly competitor scan',
    agents: [AGENTS[0], AGENTS[3]],
    mark: 'done',
    last: 'Mon 07:30',
    median: 0.07,
    good: 20,
  },
  {
    id: 'w4',
    name: 'Delivery notices',
    agents: [AGENTS[2], AGENTS[4]],
    mark: 'fail',
    last: 'Failed Mon',
    median: 0.02,
    good: 17,
  },
];

export const MESSAGE = `Bahari Cold Stores and two ice plants serve **80 %** of the beach hotels. See [their suppliers](https://coasthotels.example/suppliers).

| Competitor | Offer | Price a month |
|---|---|---:|
| Bahari Cold Stores | Cold room space | KSh 46,000 |
| Likoni Ice Works | Block ice, daily | KSh 38,500 |

1. Rent undercuts all three
2. Pays back in \`14\` months

- [x] Prices checked
- [ ] Margin agreed

\`\`\`rust
/// Months until the box has paid for itself.
fn payback(price: f64, saved: f64) -> u32 {
    (price / saved).ceil() as u32 // whole months
}
\`\`\`

> “We need ice twice a day.”
`;

export const MESSAGE_AR = `KenyaTrade قال إن السوق ينمو بنسبة 12 % سنويًا، وأن فنادق الساحل تحتاج إلى \`Baridi-120\`.

- السعر: KSh 29,000
- المدة: 14 شهرًا

This paragraph is English and stays left to right.`;

export const HOSTILE = `<img src=x onerror="window.__pwned=1"> <script>window.__pwned=1</script>

![a picture](https://canary.example/p.png) and [a trap](javascript:window.__pwned=1)

<style>body{display:none}</style>`;
