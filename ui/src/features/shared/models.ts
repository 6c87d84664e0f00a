// Which models can be named here: those of the providers' settings and those of this machine.
import type { ModelList, ProviderList, ProviderShown } from '../../bindings/types';
import type { Platform } from '../../platform/platform';

/** In an agent: the model chosen for everything that names none. */
export const DEFAULT_MODEL = 'default';

export interface ModelSources {
  providers: readonly ProviderShown[];
  local: ModelList | undefined;
}

/** Names, each once: providers', the machine's, and those that are named already. */
export function modelsToChoose({ providers, local }: ModelSources, named: readonly string[]): string[] {
  const here = (local?.models ?? []).filter(({ status }) => status === 'installed');
  return [
    ...new Set([
      ...providers.flatMap(({ id, model }) => (model ? [`${id}/${model}`] : [])),
      ...here.map(({ id }) => `local/${id}`),
      ...named,
    ]),
  ];
}

/** What cannot be read offers nothing; what is named already stays. */
export async function readModels(platform: Platform): Promise<ModelSources> {
  const [providers, local] = await Promise.allSettled([
    platform.rpc<ProviderList>('providers.list'),
    platform.rpc<ModelList>('models.list'),
  ]);
  return {
    providers: providers.status === 'fulfilled' ? providers.value.value.providers : [],
    local: local.status === 'fulfilled' ? local.value.value : undefined,
  };
}
