/** Where the page begins. */
import { createRoot } from 'react-dom/client';
import { z } from 'zod';
import { Root } from './Root.js';
import './style.css';

// A page may forbid code made from text, as the lab's own server does.
z.config({ jitless: true });

createRoot(document.getElementById('root')!).render(<Root />);
