#include "daemon/unpack/job.h"

#include <charconv>

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

bool parse_frame(std::string_view text, FrameAt& frame) {
  return take_number(text, frame.offset) && take_number(text, frame.size) && take_number(text, frame.tar_size) && text.empty();
}

/// One line of a job; false where it means nothing.
bool parse_line(std::string_view line, Job& job) {
  constexpr std::string_view kFrame = "frame ", kShare = "share ", kFolder = "folder ", kSkip = "skip ";
  if (line.starts_with(kSkip)) {
    job.skip.emplace_back(line.substr(kSkip.size()));
    return true;
  }
  if (line.starts_with(kFolder)) {
    job.folders.emplace_back(line.substr(kFolder.size()));
    return true;
  }
  if (line.starts_with(kShare)) {
    line.remove_prefix(kShare.size());
    return take_number(line, job.drop) && take_number(line, job.take) && line.empty();
  }
  return line.starts_with(kFrame) && parse_frame(line.substr(kFrame.size()), job.frames.emplace_back());
}

}  // namespace

std::string to_text(const Job& job) {
  std::string text;
  for (const FrameAt& frame : job.frames) {
    text += "frame " + std::to_string(frame.offset) + ' ' + std::to_string(frame.size) + ' ' + std::to_string(frame.tar_size) + '\n';
  }
  if (job.drop != 0 || job.take != 0) text += "share " + std::to_string(job.drop) + ' ' + std::to_string(job.take) + '\n';
  for (const std::string& path : job.folders) text += "folder " + path + '\n';
  for (const std::string& path : job.skip) text += "skip " + path + '\n';
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
