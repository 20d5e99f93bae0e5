/** What an editor would say against a configuration: the JSON Schema, by a validator of its own. */
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { builtIn } from '../../src/config/catalog.ts'
import { editorSchemaText } from '../../src/config/editor-schema.ts'

/** The schema as the code writes it. */
export const text = await editorSchemaText(builtIn)

export const ajv = new Ajv({
  allErrors: true,
  strictTypes: false,
  strictRequired: false,
  formats: { uri: URL.canParse },
  keywords: ['errorMessage', 'patternErrorMessage', 'doNotSuggest'],
})

const fits = ajv.compile(JSON.parse(text) as object)

/** Everything that the schema finds wrong, as `path sentence`. */
export function faultsIn(config: string): readonly string[] {
  if (fits(parse(config))) return []
  return (fits.errors ?? []).map(({ instancePath, message = '', params }) => {
    const key: unknown = params.additionalProperty
    return `${instancePath} ${message}${typeof key === 'string' ? `: ${key}` : ''}`.trim()
  })
}
