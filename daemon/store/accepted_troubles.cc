#include "daemon/store/accepted_troubles.h"

#include <algorithm>

#include "core/files/files.h"

namespace berth::store {
namespace {

constexpr std::size_t kMostBytes = 16u << 20;

std::filesystem::path file_of(const std::filesystem::path& log) { return log.parent_path() / "events.accepted"; }

}  // namespace

std::set<std::string> accepted_troubles(const std::filesystem::path& log) {
  std::set<std::string> accepted;
  const auto text = files::read(file_of(log), kMostBytes);
  for (std::size_t begin = 0; text && begin < text->size();) {
    const auto end = std::min(text->find('\n', begin), text->size());
    accepted.insert(text->substr(begin, end - begin));
    begin = end + 1;
  }
  return accepted;
}

Result<void> accept_troubles(const std::filesystem::path& log, const std::vector<std::string>& troubles) {
  std::string text;
  for (const std::string& one : troubles) text += one + "\n";
  return files::replace(file_of(log), text, 0600);
}

}  // namespace berth::store
