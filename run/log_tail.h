#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/files/fd.h"
#include "core/logs/instance_cursor.h"
#include "core/logs/log_watch.h"
#include "run/output.h"

namespace berth::run {

/// Shows what an app's instances write, as it comes into their logs, and what the runner says, by time, on a thread of its own: an output that nobody reads
/// holds up no app.
class LogTail {
 public:
  /// `logs` has the folder `app`. `on_broken` is called once, on that thread, when the output takes nothing any more.
  LogTail(std::filesystem::path logs, std::string app, Output& output, std::function<void()> on_broken);
  ~LogTail();  ///< as `finish`
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

  /// From any thread. What instances wrote before it is shown before it.
  void say(Word word);
  /// Shows all that was written and said so far, and ends.
  void finish();

 private:
  struct Input {
    logs::InstanceCursor cursor;
    std::optional<logs::Record> ahead;
    bool at_end = false;
  };

  void work();
  void look_for_logs();
  void take_words();
  void show_all();
  Input* oldest();
  void show_word();
  bool waits_for_word(const Input& input) const;
  void flush();
  void wait();

  const std::filesystem::path logs_;
  const InstanceSelector what_;
  Output& output_;
  std::function<void()> on_broken_;
  std::optional<logs::LogWatch> watch_;
  std::vector<Input> inputs_;
  std::deque<Word> words_;  ///< of the thread
  std::set<std::string> started_;  ///< instances that were said to have started, and not to have exited since
  bool holds_ = false;             ///< what is to be shown next stands behind a word that has not come
  bool broken_ = false;

  std::mutex mutex_;
  std::deque<Word> said_;
  std::atomic<bool> has_said_ = false;
  std::atomic<bool> ending_ = false;
  Fd wake_;  ///< an eventfd
  std::thread thread_;
};

}  // namespace berth::run
