#include "daemon/unpack/job.h"

#include <charconv>
#include <initializer_list>
#include <utility>

namespace berth::unpack {
namespace {

/// Takes a number and the blank after it off the front of `text`.
bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return true;
  if (text.front() != ' ') return false;
  text.remove_prefix(1);
  return true;
}

bool parse_frame(std::string_view text, bundle::Frame& frame) {
  return take_number(text, frame.offset) && take_number(text, frame.size) && take_number(text, frame.tar_size) && text.empty();
}

bool parse_patch(std::string_view text, PatchFrame& patch) {
  for (std::uint64_t* const number : {&patch.offset, &patch.size, &patch.base, &patch.content, &patch.made})
    if (!take_number(text, *number)) return false;
  return text.empty();
}

bool parse_gap(std::string_view text, Gap& gap) { return take_number(text, gap.at) && take_number(text, gap.size) && text.empty(); }

/// One line of a job, without its end; false where it means nothing.
bool parse_line(std::string_view line, Job& job) {
  const auto begins = [&line](std::string_view word) {
    if (!line.starts_with(word)) return false;
    line.remove_prefix(word.size());
    return true;
  };
  if (begins("frame ")) return parse_frame(line, job.frames.emplace_back());
  if (begins("gap ")) return parse_gap(line, job.gaps.emplace_back());
  if (line == "pour") return !std::exchange(job.pour, true);
  if (begins("share ")) return take_number(line, job.drop) && take_number(line, job.take) && line.empty();
  return begins("patch ") && !job.patch && parse_patch(line, job.patch.emplace());
}

}  // namespace

std::string to_text(const Job& job) {
  std::string text;
  const auto add = [&text](const char* word, std::initializer_list<std::uint64_t> numbers) {
    text += word;
    for (const std::uint64_t number : numbers) text += ' ' + std::to_string(number);
    text += '\n';
  };
  for (const bundle::Frame& frame : job.frames) add("frame", {frame.offset, frame.size, frame.tar_size});
  if (job.drop != 0 || job.take != 0) add("share", {job.drop, job.take});
  if (job.pour) text += "pour\n";
  for (const Gap& gap : job.gaps) add("gap", {gap.at, gap.size});
  if (job.patch) add("patch", {job.patch->offset, job.patch->size, job.patch->base, job.patch->content, job.patch->made});
  return text + "end\n";
}

Result<Job> parse_job(std::string_view text) {
  Job job;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line == "end") {
      if (!text.empty()) return fail(Errc::protocol, "the job goes on after its end");
      return job;
    }
    if (!parse_line(line, job)) return fail(Errc::protocol, "the job has a line that means nothing: " + std::string(line.substr(0, 100)));
  }
  return fail(Errc::protocol, "the job is cut off");
}

}  // namespace berth::unpack
