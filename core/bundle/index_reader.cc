#include "core/bundle/index_reader.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>

#include "core/bundle/checks.h"
#include "core/bundle/paths.h"
#include "core/utf8.h"

namespace berth::bundle {
namespace {

/// Takes canonical JSON off the front of a text, piece by piece. False: it is something else there.
class CanonicalText {
 public:
  explicit CanonicalText(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  bool take(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }

  /// Only quotes and backslashes are escaped (OLPC canonical JSON); control characters and what is no UTF-8 cannot be there.
  bool take_string(std::string& value) {
    if (!take("\"")) return false;
    while (true) {
      const std::size_t plain = plain_bytes();
      value.append(rest_, 0, plain);
      rest_.remove_prefix(plain);
      if (take("\"")) return true;
      if (take("\\")) {
        if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\\')) return false;
        value += rest_.front();
        rest_.remove_prefix(1);
        continue;
      }
      const std::size_t length = rest_.empty() || static_cast<unsigned char>(rest_.front()) < 0x80 ? 0 : first_code_point(rest_).length;
      if (length == 0) return false;
      value.append(rest_, 0, length);
      rest_.remove_prefix(length);
    }
  }

  bool take_number(std::uint64_t lowest, std::uint64_t highest, std::uint64_t& value) {
    const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    const auto digits = static_cast<std::size_t>(end - rest_.data());
    if (failure != std::errc() || (digits > 1 && rest_.front() == '0') || value < lowest || value > highest) return false;
    rest_.remove_prefix(digits);
    return true;
  }

  /// A list, each of whose items `item` takes.
  template <class Item>
  bool take_list(const Item& item) {
    if (!take("[")) return false;
    if (take("]")) return true;
    do {
      if (!item()) return false;
    } while (take(","));
    return take("]");
  }

 private:
  /// How many printable ASCII bytes come that stand for themselves.
  std::size_t plain_bytes() const {
    const auto stands_for_itself = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x80 && c != '"' && c != '\\'; };
    return static_cast<std::size_t>(std::ranges::find_if_not(rest_, stands_for_itself) - rest_.begin());
  }

  std::string_view rest_;
};

bool take_mode(CanonicalText& text, std::uint32_t& mode) {
  std::string name;
  if (!text.take_string(name)) return false;
  const auto found = std::ranges::find(kEntryModes, name, &std::pair<std::string_view, std::uint32_t>::first);
  if (found == std::end(kEntryModes)) return false;
  mode = found->second;
  return true;
}

/// Members go by their names: mode, path, sha256, size, target, type. Which of them there are, the type says.
bool take_entry(CanonicalText& text, Entry& entry) {
  if (!text.take("{\"mode\":") || !take_mode(text, entry.mode) || !text.take(",\"path\":") || !text.take_string(entry.path)) return false;
  const bool hashed = text.take(",\"sha256\":");
  if (hashed && (!text.take_string(entry.sha256) || !is_sha256(entry.sha256))) return false;
  const bool sized = text.take(",\"size\":");
  if (sized && !text.take_number(0, kLargestBlob, entry.size)) return false;
  const bool leads = text.take(",\"target\":");
  if (leads && !text.take_string(entry.target)) return false;
  std::string type;
  if (!text.take(",\"type\":") || !text.take_string(type) || !text.take("}")) return false;
  const auto found = std::ranges::find(kEntryTypes, type);
  if (found == std::end(kEntryTypes)) return false;
  entry.type = static_cast<EntryType>(found - std::begin(kEntryTypes));
  const bool is_file = entry.type == EntryType::file;
  return hashed == is_file && sized == is_file && leads == (entry.type == EntryType::symlink);
}

bool take_frame(CanonicalText& text, Frame& frame) {
  return text.take("{\"offset\":") && text.take_number(0, kLargestBlob, frame.offset) && text.take(",\"size\":") &&
         text.take_number(1, kFrame + kMostExpansion, frame.size) && text.take(",\"tar_size\":") && text.take_number(1, kFrame, frame.tar_size) && text.take("}");
}

}  // namespace

std::optional<LayerIndex> read_index(std::string_view whole) {
  CanonicalText text(whole);
  LayerIndex index;
  const auto chunk = [&] { return text.take_string(index.chunks.emplace_back()); };
  const auto entry = [&] { return index.entries.size() < kMostEntries && take_entry(text, index.entries.emplace_back()); };
  const auto frame = [&] { return take_frame(text, index.frames.emplace_back()); };
  const bool read = text.take("{\"chunks\":") && text.take_list(chunk) && text.take(",\"entries\":") && text.take_list(entry) &&
                    text.take(",\"format\":1,\"frames\":") && text.take_list(frame) && text.take("}") && text.at_end();
  if (!read) return std::nullopt;
  return index;
}

}  // namespace berth::bundle
