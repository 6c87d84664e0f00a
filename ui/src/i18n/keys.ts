// Written by the build from messages/en.json; do not edit.
/* eslint-disable */
export interface MessageArguments {
  'act.cancel': undefined;
  'act.close': undefined;
  'act.copied': undefined;
  'act.copy': undefined;
  'act.copy_failed': undefined;
  'act.try_again': undefined;
  'error.copy': undefined;
  'error.details': undefined;
  'live.more': { n: number };
  'loading.still': undefined;
  'loading.waiting_for': { what: string | number; time: string | number };
  'nav.agents': undefined;
  'nav.back': undefined;
  'nav.connections': undefined;
  'nav.fold': undefined;
  'nav.forward': undefined;
  'nav.home': undefined;
  'nav.main': undefined;
  'nav.runs': undefined;
  'nav.settings': undefined;
  'nav.waiting': undefined;
  'nav.waiting_count': { n: number };
  'nav.width': undefined;
  'screen.broken': undefined;
  'screen.not_loaded': undefined;
  'screen.unknown': undefined;
  'start.failed': undefined;
  'start.no_session': undefined;
  'start.safe': undefined;
  'strip.label': undefined;
  'strip.link_lost': undefined;
  'strip.money': { spent: string | number; limit: string | number };
  'strip.offline': { n: number };
  'strip.online': undefined;
  'toast.region': undefined;
}
