#include "daemon/fetch/poured_files.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/bundle/tar_header.h"

namespace berth::fetch {

using bundle::Entry;
using bundle::EntryType;

PouredFiles::PouredFiles(int tree, const std::vector<Entry>& entries, EntryRun run, const LinkPlan& plan, MadeFiles& made)
    : folders_(tree), entries_(entries), run_(run), plan_(plan), made_(made), number_(run.begin) {
  expect_header(0);
}

Result<void> PouredFiles::take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      BERTH_CHECK(take_content(bytes));
      continue;
    }
    if (compared_ == expected_.size()) return fail(Errc::trust, "the tar goes on behind what the signed index has of it");
    BERTH_CHECK(compare(bytes));
  }
  return {};
}

Result<void> PouredFiles::finish() const {
  if (number_ == run_.end && compared_ == expected_.size()) return {};
  return fail(Errc::trust, fmt::format("the tar is cut short{}", number_ < run_.end ? " at " + entries_[number_].path : std::string()));
}

/// Or the tar's end.
void PouredFiles::expect_header(std::uint64_t padding) {
  expected_.assign(padding, '\0');
  compared_ = 0;
  if (number_ < run_.end) expected_ += bundle::tar_header(entries_[number_]);
  else if (run_.end == entries_.size()) expected_.append(bundle::kTarEnd, '\0');
}

Result<void> PouredFiles::compare(std::string_view& bytes) {
  const std::string_view wanted = std::string_view(expected_).substr(compared_, bytes.size());
  if (!bytes.starts_with(wanted))
    return fail(Errc::trust, number_ < run_.end ? entries_[number_].path + ": what the tar has in its place is not what is in the signed index" : "the tar does not end where the signed index does");
  bytes.remove_prefix(wanted.size());
  compared_ += wanted.size();
  return compared_ == expected_.size() && number_ < run_.end ? begin_entry() : Result<void>();
}

Result<void> PouredFiles::begin_entry() {
  const Entry& entry = entries_[number_];
  if (entry.type != EntryType::file || is_linked(entry)) {
    ++number_;
    expect_header(0);
    return {};
  }
  BERTH_TRY(const int folder, folders_.folder_of(entry.path));
  BERTH_CHECK(file_.begin(folder, entry));
  left_ = entry.size;
  return left_ == 0 ? end_file() : Result<void>();
}

Result<void> PouredFiles::take_content(std::string_view& bytes) {
  const std::string_view content = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
  BERTH_CHECK(file_.write(content));
  bytes.remove_prefix(content.size());
  left_ -= content.size();
  return left_ == 0 ? end_file() : Result<void>();
}

Result<void> PouredFiles::end_file() {
  BERTH_TRY(made_[number_], file_.end());
  expect_header(bundle::tar_padding(entries_[number_++].size));
  return {};
}

bool PouredFiles::is_linked(const Entry& entry) const { return std::ranges::binary_search(plan_.links, entry.path, {}, &LinkPlan::Link::path); }

}  // namespace berth::fetch
