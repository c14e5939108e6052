#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include <signal.h>

#include "core/files/fd.h"

namespace berth::cli {

/// While it lives, Ctrl-C says on stderr what goes on, and ends the program with 130, as shells expect of an interrupted one. Where somebody sits at a terminal and there is something to ask,
/// he is asked first whether it is to be cancelled; any other answer, and a second Ctrl-C, leaves it running. A thread of its own waits for the signal.
class Interrupt {
 public:
  struct Words {
    std::string notice;      ///< what is said before the program ends; whole lines
    std::string question{};  ///< without a newline; empty: nothing is asked
    std::string too_late{};  ///< why nothing is asked any more, for who is being asked; whole lines
  };
  /// `cancel` is called, on that thread, for who answers the question with "c"; afterwards things go on as before.
  explicit Interrupt(Words words, std::function<void()> cancel = {});
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// What is said and asked from now on.
  void change(Words words);
  /// Whether the question is on the screen, over which nothing should be written.
  bool asking() const { return asking_; }

 private:
  enum class Answer { leave, cancel, over };

  void wait();
  /// What was answered; `over` where this ends meanwhile.
  Answer ask(const std::string& question);

  std::mutex mutex_;
  Words words_;
  std::function<void()> cancel_;
  std::atomic<bool> asking_{false};
  sigset_t before_{};  ///< signals that were blocked
  Fd signals_, ends_;
  std::thread thread_;
};

}  // namespace berth::cli
