#include "run/log_tail.h"

#include <algorithm>
#include <chrono>

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/logs/log_layout.h"
#include "core/spec/app_spec.h"

namespace berth::run {
namespace {

constexpr int kLookAgainMs = 1000;  ///< at logs that cannot be watched
constexpr int kShownAtOnce = 4096;
constexpr std::chrono::milliseconds kHeld{500};  ///< since an instance wrote something, for the word that it started
constexpr int kLookForWordMs = 20;

}  // namespace

std::string shown_name(const InstanceId& id) { return spec::is_hook_name(id.process) ? id.process : fmt::format("{}.{}", id.process, id.number); }

LogTail::LogTail(std::filesystem::path logs, std::string app, Output& output, std::function<void()> on_broken)
    : logs_(std::move(logs)), what_{.app = std::move(app), .process = {}, .number = {}, .release = {}}, output_(output), on_broken_(std::move(on_broken)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Before anything is read, so that nothing falls between.
  if (auto watching = logs::LogWatch::open(logs_, what_)) watch_.emplace(std::move(*watching));
  thread_ = std::thread([this] { work(); });
}

LogTail::~LogTail() { finish(); }

void LogTail::say(Word word) {
  {
    const std::lock_guard lock(mutex_);
    said_.push_back(std::move(word));
    has_said_ = true;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void LogTail::finish() {
  if (!thread_.joinable()) return;
  ending_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void LogTail::work() {
  for (;;) {
    const bool ends = ending_;  // before looking, so that all that was written by then is seen
    look_for_logs();
    show_all();
    flush();
    if (ends) return;
    wait();
  }
}

void LogTail::look_for_logs() {
  for (Input& input : inputs_) input.at_end = false;
  const auto logs = logs::list_instances(logs_, what_);
  if (!logs) return;  // none yet
  for (const logs::InstanceLog& log : *logs) {
    const bool known = std::ranges::any_of(inputs_, [&](const Input& input) { return input.cursor.log().id == log.id; });
    if (!known) inputs_.push_back({logs::InstanceCursor(log, {}, false), {}, false});
  }
}

/// The input whose next record is the oldest; null at the present end of all.
LogTail::Input* LogTail::oldest() {
  Input* found = nullptr;
  for (Input& input : inputs_) {
    if (!input.ahead && !input.at_end) {
      auto next = input.cursor.next();
      if (next) input.ahead = std::move(*next);
      input.at_end = !input.ahead;
      for (const logs::Gap& gap : input.cursor.take_gaps())
        if (!gap.is_boot) output_.show_gap(input.cursor.log().id, gap.last - gap.first + 1);
    }
    if (input.ahead && (found == nullptr || input.ahead->time < found->ahead->time)) found = &input;
  }
  return found;
}

/// Words come after what was written before they were said: so all logs are looked at anew.
void LogTail::take_words() {
  if (!has_said_) return;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(said_, std::back_inserter(words_));
    said_.clear();
    has_said_ = false;
  }
  look_for_logs();
}

/// Whether it is to stand behind the word that its instance started, which is on its way.
bool LogTail::waits_for_word(const Input& input) const {
  return !ending_ && !started_.contains(shown_name(input.cursor.log().id)) && std::chrono::system_clock::now() - input.ahead->time < kHeld;
}

void LogTail::show_word() {
  const Word& word = words_.front();
  if (word.kind == Word::Kind::started) started_.insert(word.instance);
  if (word.kind == Word::Kind::exited) started_.erase(word.instance);
  output_.show(word);
  words_.pop_front();
}

void LogTail::show_all() {
  for (int shown = 1; !broken_; ++shown) {
    take_words();
    if (shown % kShownAtOnce == 0) {
      flush();
      look_for_logs();  // while one writes without end, others write, too
    }
    Input* const next = oldest();
    holds_ = next != nullptr && waits_for_word(*next);
    if (!words_.empty() && (next == nullptr || holds_ || words_.front().at < next->ahead->time)) {
      show_word();
      continue;
    }
    if (next == nullptr || holds_) return;
    output_.show(*next->ahead, next->cursor.log().id);
    next->ahead.reset();
  }
}

void LogTail::flush() {
  if (broken_ || output_.flush()) return;
  broken_ = true;
  on_broken_();
}

void LogTail::wait() {
  pollfd waiting[] = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}, {.fd = watch_ ? watch_->descriptor() : -1, .events = POLLIN, .revents = 0}};
  ::poll(waiting, 2, holds_ ? kLookForWordMs : watch_ ? -1 : kLookAgainMs);
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  if (!watch_) return;
  if (const auto looked = watch_->wait(std::chrono::milliseconds(0)); !looked) watch_.reset();
}

}  // namespace berth::run
