# Compile and link flags, carried by one INTERFACE target that every module links.
add_library(gatehouse_flags INTERFACE)
target_include_directories(gatehouse_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(gatehouse_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror -Wno-sign-conversion -Wno-missing-field-initializers
  -fno-omit-frame-pointer -fstack-protector-strong
  # dependent headers that are not ours
  # g++ 12 sees overlaps in std::string that are none (GCC bug 105651)
  $<$<CXX_COMPILER_ID:GNU>:-Wno-interference-size;-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-unused-private-field>)
target_compile_definitions(gatehouse_flags INTERFACE GATEHOUSE_VERSION="${PROJECT_VERSION}")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(gatehouse_flags INTERFACE -D_FORTIFY_SOURCE=2)
endif()
if(GATEHOUSE_SANITIZE)
  # -Wno-maybe-uninitialized: instrumented code makes g++ 12 see it in its own <regex> and <functional>
  target_compile_options(gatehouse_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE} -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(gatehouse_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE})
endif()
if(GATEHOUSE_FUZZ)
  target_compile_options(gatehouse_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_options(gatehouse_flags INTERFACE -Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
