#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/entry_rules.h"
#include "core/bundle/index_reader.h"
#include "core/bundle/layer.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/json/json.h"

namespace berth::bundle {
namespace {

using json::ObjectReader;

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

json::value entry_json(const Entry& entry) {
  json::object out{{"path", entry.path}, {"type", kEntryTypes[static_cast<std::size_t>(entry.type)]}, {"mode", fmt::format("{:04o}", entry.mode)}};
  if (entry.type == EntryType::file) {
    out["size"] = number(entry.size);
    out["sha256"] = entry.sha256;
  }
  if (entry.type == EntryType::symlink) out["target"] = entry.target;
  return out;
}

std::unexpected<Error> wrong(const std::string& what) { return fail(Errc::trust, "index: " + what); }

/// 0, which no entry may have, for a text that is no mode of a layer.
std::uint32_t mode_from(std::string_view text) {
  for (const auto& [name, mode] : kEntryModes)
    if (text == name) return mode;
  return 0;
}

Result<Entry> entry_from(const json::value& json) {
  ObjectReader reader(json, "index: entry");
  Entry entry;
  entry.path = reader.string("path");
  const std::string type = reader.string("type");
  entry.mode = mode_from(reader.string("mode"));
  if (entry.mode == 0) reader.complain("member 'mode' is none of 0644, 0755 and 0777");
  const auto found = std::ranges::find(kEntryTypes, type);
  if (found == std::end(kEntryTypes)) reader.complain(fmt::format("member 'type' is '{}'", shown(type)));
  else entry.type = static_cast<EntryType>(found - std::begin(kEntryTypes));
  if (entry.type == EntryType::file) {
    entry.size = static_cast<std::uint64_t>(reader.integer("size", 0, number(kLargestBlob)));
    entry.sha256 = reader.string("sha256");
    if (!is_sha256(entry.sha256)) reader.complain("member 'sha256' is no SHA-256 in lower-case hex digits");
  }
  if (entry.type == EntryType::symlink) entry.target = reader.string("target");
  BERTH_CHECK(reader.done());
  return entry;
}

Result<Frame> frame_from(const json::value& json) {
  ObjectReader reader(json, "index: frame");
  const auto largest = number(kLargestBlob);
  Frame frame{.offset = static_cast<std::uint64_t>(reader.integer("offset", 0, largest)),
              .size = static_cast<std::uint64_t>(reader.integer("size", 1, number(kFrame + kMostExpansion))),
              .tar_size = static_cast<std::uint64_t>(reader.integer("tar_size", 1, number(kFrame)))};
  BERTH_CHECK(reader.done());
  return frame;
}

/// Contiguous, and as long as blob and tar.
Result<void> check_frames(const std::vector<Frame>& frames, const LayerRef& layer) {
  std::uint64_t offset = 0, tar = 0;
  for (const Frame& frame : frames) {
    if (frame.offset != offset) return wrong(fmt::format("a frame begins at {}, and the one before ends at {}", frame.offset, offset));
    if (&frame != &frames.back() && frame.tar_size != kFrame) return wrong("a frame before the last holds less than 16 MiB of tar");
    offset += frame.size;
    tar += frame.tar_size;
  }
  if (offset != layer.blob.size) return wrong(fmt::format("its frames have {} bytes, and the blob {}", offset, layer.blob.size));
  if (tar != layer.tar_size) return wrong(fmt::format("its frames hold {} bytes of tar, and the layer {}", tar, layer.tar_size));
  return {};
}

Result<void> check_chunks(const std::vector<std::string>& chunks, const LayerRef& layer) {
  const std::uint64_t wanted = (layer.blob.size + kChunk - 1) / kChunk;
  if (chunks.size() != wanted) return wrong(fmt::format("it has {} chunks, and the blob {}", chunks.size(), wanted));
  for (const std::string& chunk : chunks)
    if (!is_sha256(chunk)) return wrong("a chunk's hash is no SHA-256 in lower-case hex digits");
  return {};
}

Result<void> check_entries(const std::vector<Entry>& entries, const LayerRef& layer) {
  EntryRules rules;
  std::uint64_t tar = kTarEnd;
  for (const Entry& entry : entries) {
    if (const std::string broken = rules.wrong(entry); !broken.empty()) return wrong(fmt::format("'{}' {}", shown(entry.path), broken));
    tar += tar_size(entry);
    if (tar > layer.tar_size) break;
  }
  if (tar != layer.tar_size) return wrong(fmt::format("its entries do not make a tar of {} bytes", layer.tar_size));
  return {};
}

Result<LayerIndex> read(const json::value& json) {
  ObjectReader reader(json, "index");
  LayerIndex index;
  static_cast<void>(reader.integer("format", 1, 1));
  for (const json::value& item : reader.list("frames")) {
    BERTH_TRY(index.frames.emplace_back(), frame_from(item));
  }
  for (const json::value& item : reader.list("chunks")) {
    const auto* text = item.if_string();
    index.chunks.emplace_back(text == nullptr ? std::string() : std::string(*text));
  }
  for (const json::value& item : reader.list("entries")) {
    BERTH_TRY(index.entries.emplace_back(), entry_from(item));
  }
  BERTH_CHECK(reader.done());
  return index;
}

/// One that is not in the form that it must have is read as JSON, to tell what is the matter.
Result<LayerIndex> read_text(std::string_view text) {
  if (text.size() <= kLargestIndex)
    if (auto index = read_index(text)) return std::move(*index);
  const auto json = json::parse(text, {.most_bytes = kLargestIndex});
  if (!json) return wrong(json.error().message);
  BERTH_TRY(LayerIndex index, read(*json));
  if (const auto form = json::canonical(*json); !form || *form != text) return wrong("is not in canonical form");
  return index;
}

}  // namespace

std::string to_canonical_json(const LayerIndex& index) {
  json::array frames, entries;
  for (const Frame& frame : index.frames)
    frames.push_back(json::object{{"offset", number(frame.offset)}, {"size", number(frame.size)}, {"tar_size", number(frame.tar_size)}});
  for (const Entry& entry : index.entries) entries.push_back(entry_json(entry));
  const json::object members{{"format", 1},
                             {"frames", std::move(frames)},
                             {"chunks", json::array(index.chunks.begin(), index.chunks.end())},
                             {"entries", std::move(entries)}};
  return json::canonical(members).value();  // there are no fractions
}

Result<LayerIndex> parse_index(std::string_view text, const LayerRef& layer) {
  if (text.size() != layer.index.size || crypto::sha256_hex(text) != layer.index.sha256)
    return wrong(fmt::format("{}: is not what the manifest names", layer.index.sha256));
  BERTH_TRY(LayerIndex index, read_text(text));
  BERTH_CHECK(check_frames(index.frames, layer));
  BERTH_CHECK(check_chunks(index.chunks, layer));
  BERTH_CHECK(check_entries(index.entries, layer));
  return index;
}

}  // namespace berth::bundle
