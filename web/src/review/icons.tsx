/** Pictures of the page that looks back, in the manner of `components/icons.tsx`. */

import { Icon } from "../components/icons";

export const BackIcon = () => (
  <Icon>
    <path d="M19 12H5M11 6l-6 6 6 6" />
  </Icon>
);
export const PlayIcon = () => (
  <Icon>
    <path d="M7 4.500v15l12-7.500z" />
  </Icon>
);
export const PauseIcon = () => (
  <Icon>
    <path d="M8 5v14M16 5v14" />
  </Icon>
);
export const EarlierIcon = () => (
  <Icon>
    <path d="M11 6l-6 6 6 6M19 6l-6 6 6 6" />
  </Icon>
);
export const LaterIcon = () => (
  <Icon>
    <path d="M13 6l6 6-6 6M5 6l6 6-6 6" />
  </Icon>
);
export const PlusIcon = () => (
  <Icon>
    <circle cx="11" cy="11" r="7" />
    <path d="M11 8v6M8 11h6M16 16l5 5" />
  </Icon>
);
export const MinusIcon = () => (
  <Icon>
    <circle cx="11" cy="11" r="7" />
    <path d="M8 11h6M16 16l5 5" />
  </Icon>
);
export const WholeIcon = () => (
  <Icon>
    <path d="M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4" />
  </Icon>
);
