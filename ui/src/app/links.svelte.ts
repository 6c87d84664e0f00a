// A link a model wrote opens only after the person has seen where it leads.
import { allowedLink } from '../platform/platform';

class Links {
  asked = $state.raw<URL>();
}

export const links = new Links();

export function askToOpen(url: string): void {
  links.asked = allowedLink(url);
}
