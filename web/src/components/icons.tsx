/** The page's few pictures; they mean nothing without the words beside them, and are hidden from screen readers. */

import type { ReactNode } from "react";

export function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 24 24"
      className="size-5 shrink-0"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const MicrophoneIcon = () => (
  <Icon>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5 11a7 7 0 0 0 14 0M12 18v3" />
  </Icon>
);
export const MutedIcon = () => (
  <Icon>
    <path d="M9 9v2a3 3 0 0 0 5 2M15 10V6a3 3 0 0 0-5.800-1M5 11a7 7 0 0 0 11 5.700M19 11a7 7 0 0 1-.5 2.600M12 18v3M3 3l18 18" />
  </Icon>
);
export const SendIcon = () => (
  <Icon>
    <path d="M5 12h14M13 6l6 6-6 6" />
  </Icon>
);
export const StopIcon = () => (
  <Icon>
    <rect x="6" y="6" width="12" height="12" rx="2" />
  </Icon>
);
export const SpeakerIcon = () => (
  <Icon>
    <path d="M4 9.500v5h3.500L12 18.500v-13L7.500 9.500H4ZM16 9a4.500 4.500 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11" />
  </Icon>
);
export const SunIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600 19 19M19 5l-1.400 1.400M6.400 17.600 5 19" />
  </Icon>
);
export const MoonIcon = () => (
  <Icon>
    <path d="M20 14.500A8 8 0 0 1 9.500 4 8 8 0 1 0 20 14.500Z" />
  </Icon>
);
export const ToolIcon = () => (
  <Icon>
    <path d="M14 6a4 4 0 0 1 5-1l-3 3 2 2 3-3a4 4 0 0 1-5.500 5L8 19.500 4.500 16 12 8.500A4 4 0 0 1 14 6Z" />
  </Icon>
);
export const LogoIcon = () => (
  <svg aria-hidden="true" viewBox="0 0 32 32" className="size-8 shrink-0">
    <rect width="32" height="32" rx="9" className="fill-primary" />
    <path
      d="M7 14v4M11.500 10v12M16 6v20M20.500 11v10M25 14v4"
      className="stroke-primary-foreground"
      strokeWidth="2.6"
      strokeLinecap="round"
    />
  </svg>
);
