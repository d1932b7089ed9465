#pragma once
// A thread that does something every second and something else every minute.
//
// Lifetime: `stop` before what the two use goes away; the destructor stops, too.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace gatehouse::app {

class Housekeeper {
 public:
  ~Housekeeper() { stop(); }
  void start(std::function<void()> every_second, std::function<void()> every_minute);
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::app
