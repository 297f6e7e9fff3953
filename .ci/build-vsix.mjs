// Packs editors/vscode into dist/arena-inspect.vsix, as `vsce package` does, which would bring 125 MB of packages.
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import yazl from 'yazl'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'editors/vscode')
const output = process.argv[2] ?? join(root, 'dist/arena-inspect.vsix')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const extension = { ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')), version }

const FILES = ['extension.js', 'README.md', 'LICENSE']
const TYPES = {
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.vsixmanifest': 'text/xml',
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const property = (id, value) => `<Property Id="Microsoft.VisualStudio.${id}" Value="${escaped(value)}" />`
const asset = (type, path) =>
  `<Asset Type="Microsoft.VisualStudio.${type}" Path="extension/${path}" Addressable="true" />`

const manifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${escaped(extension.name)}" Version="${escaped(version)}" Publisher="${escaped(extension.publisher)}" />
    <DisplayName>${escaped(extension.displayName)}</DisplayName>
    <Description xml:space="preserve">${escaped(extension.description)}</Description>
    <Tags>${escaped(extension.keywords.join(','))}</Tags>
    <Categories>${escaped(extension.categories.join(','))}</Categories>
    <Properties>
      ${property('Code.Engine', extension.engines.vscode)}
      ${property('Code.ExtensionDependencies', '')}
      ${property('Code.ExtensionPack', '')}
      ${property('Code.ExtensionKind', 'workspace')}
      ${property('Code.ExecutesCode', 'true')}
    </Properties>
    <License>extension/LICENSE</License>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code" /></Installation>
  <Dependencies />
  <Assets>
    ${asset('Code.Manifest', 'package.json')}
    ${asset('Services.Content.Details', 'README.md')}
    ${asset('Services.Content.License', 'LICENSE')}
  </Assets>
</PackageManifest>
`

const types = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${Object.entries(TYPES)
  .map(([suffix, type]) => `<Default Extension="${suffix}" ContentType="${type}" />`)
  .join('')}<Override PartName="/extension/LICENSE" ContentType="text/plain" /></Types>
`

for (const file of FILES) {
  if (!(extname(file) in TYPES) && file !== 'LICENSE') throw new Error(`no content type for ${file}`)
}
// The same bytes for the same sources.
const options = { mtime: new Date(Date.UTC(2000, 0, 1)), mode: 0o100644 }
const zip = new yazl.ZipFile()
zip.addBuffer(Buffer.from(manifest), 'extension.vsixmanifest', options)
zip.addBuffer(Buffer.from(types), '[Content_Types].xml', options)
zip.addBuffer(Buffer.from(`${JSON.stringify(extension, null, 2)}\n`), 'extension/package.json', options)
for (const file of FILES)
  zip.addFile(join(file === 'LICENSE' ? root : folder, file), `extension/${file}`, options)
zip.end()
mkdirSync(join(root, 'dist'), { recursive: true })
await pipeline(zip.outputStream, createWriteStream(output))
