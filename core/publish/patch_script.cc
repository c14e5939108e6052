#include "core/publish/patch_script.h"

#include <algorithm>
#include <map>

#include "core/bundle/tar_header.h"
#include "core/patch/binary_diff.h"

namespace berth::publish {
namespace {

using bundle::Entry;
using bundle::EntryType;

constexpr std::uint64_t kLeastProgram = 4096;
constexpr std::uint64_t kMostPrograms = 32u << 20;      ///< bytes that are compared in all: a second for each 4 MiB
constexpr std::uint64_t kMostProgramsBest = 160u << 20;
constexpr std::size_t kHead = 20;                       ///< of an ELF header: up to e_machine

bool is_program(std::string_view content) { return content.size() >= kHead && content.starts_with("\x7f" "ELF"); }

/// Whether it is one for x86-64, little-endian (ELF, e_machine).
bool is_amd64(std::string_view content) { return content[5] == 1 && content[18] == 62 && content[19] == 0; }

/// The place of each of `some` in the entries of a layer, which has all of them; both are sorted.
template <class Take>
void each_place(const UnpackedLayer& layer, const std::vector<Entry>& some, const Take& take) {
  std::size_t place = 0;
  for (const Entry& entry : some) {
    while (layer.entries()[place].path != entry.path) ++place;
    take(entry, layer.slice(place));
  }
}

class Telling {
 public:
  Telling(std::string_view base, const std::vector<Entry>& before, patch::Effort effort, std::size_t most_steps)
      : base_(base), most_steps_(most_steps), left_(effort == patch::Effort::best ? kMostProgramsBest : kMostPrograms) {
    std::uint64_t at = 0;
    for (const Entry& entry : before) {
      if (entry.type == EntryType::file) contents_[entry.path] = {at + bundle::tar_header(entry).size(), entry.size};
      at += bundle::tar_size(entry);
    }
  }

  /// Whether it was told by its differences to the file at the same path before.
  bool tell(const std::string& path, std::string_view content) {
    const auto found = contents_.find(path);
    if (found == contents_.end() || content.size() < kLeastProgram) return false;
    const auto [start, size] = found->second;
    const std::string_view before = base_.substr(start, size);
    if (!is_program(content) || !is_program(before) || before.size() + content.size() > left_) return false;
    left_ -= before.size() + content.size();
    std::uint64_t place = place_;
    const patch::ProgramDifference difference(base_, start, size, content);
    const patch::Script told = difference.script(place, script_.made(), is_amd64(content) && is_amd64(before));
    // Literal bytes before and after it may take a step each.
    if (script_.steps.size() + told.steps.size() + 2 > most_steps_ || !is_worth_it(told, content.size())) return false;
    script_.append(told);
    place_ = place;
    return true;
  }
  void append(std::string_view bytes) { script_.append(bytes); }
  patch::Script take() { return std::move(script_); }

 private:
  /// What zstd makes of a program with the one before as prefix is about a twentieth of it. Differences cost a byte where they are not 0, and a step a few.
  static bool is_worth_it(const patch::Script& told, std::uint64_t size) {
    const auto same = static_cast<std::uint64_t>(std::ranges::count(told.differences, '\0'));
    return (told.differences.size() - same + told.literals.size() + 6 * told.steps.size()) * 8 < size;
  }

  std::string_view base_;
  std::size_t most_steps_;
  std::uint64_t left_;  ///< bytes that may still be compared
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> contents_;  ///< path → place in the base, and size
  patch::Script script_;
  std::uint64_t place_ = 0;  ///< in the base
};

}  // namespace

patch::Script script_of(std::string_view base, const std::vector<Entry>& before, const UnpackedLayer& fresh, const std::vector<Entry>& made,
                        patch::Effort effort, std::size_t most_steps) {
  Telling telling(base, before, effort, most_steps);
  each_place(fresh, made, [&](const Entry& entry, const UnpackedLayer::Slice& slice) {
    const std::string_view content = fresh.bytes(slice.content, slice.content + entry.size);
    if (!telling.tell(entry.path, content)) telling.append(content);
  });
  return telling.take();
}

std::string contents_of(const UnpackedLayer& layer, const std::vector<Entry>& some) {
  std::string contents;
  each_place(layer, some, [&](const Entry& entry, const UnpackedLayer::Slice& slice) { contents += layer.bytes(slice.content, slice.content + entry.size); });
  return contents;
}

std::string tar_of(const UnpackedLayer& layer, const std::vector<Entry>& some) {
  std::string tar;
  each_place(layer, some, [&](const Entry&, const UnpackedLayer::Slice& slice) { tar += layer.bytes(slice.begin, slice.end); });
  return tar.append(bundle::kTarEnd, '\0');
}

}  // namespace berth::publish
